package server

import (
	"net/http"
	"strings"

	"berth.dev/helper/internal/problem"
)

// unknown answers what no route takes, as a problem: the mux's own words are plain text.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		other := *r
		other.Method = method
		if _, pattern := s.mux.Handler(&other); pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		problem.Write(w, http.StatusNotFound, "not_found", "no such route")
		return
	}
	w.Header().Set("allow", strings.Join(allowed, ", "))
	problem.Write(w, http.StatusMethodNotAllowed, "bad_request", "this route takes "+strings.Join(allowed, ", "))
}
