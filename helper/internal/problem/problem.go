// Package problem writes the errors of the protocol: RFC 9457 problems with a code that the control plane acts on.
package problem

import (
	"encoding/json"
	"net/http"
)

// Write answers with a problem. Nothing may have been written before.
func Write(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("content-type", "application/problem+json")
	w.WriteHeader(status)
	// The connection is gone where this fails, and nobody is left to tell.
	_ = json.NewEncoder(w).Encode(map[string]string{"code": code, "detail": detail})
}

// JSON answers with a value.
func JSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("content-type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}
