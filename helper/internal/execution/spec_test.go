package execution

import (
	"bytes"
	"io"
	"net/http"
	"testing"
)

// FuzzReadSpec: whatever the body and its header claim, a spec that is accepted can be run, and the input is what follows it.
func FuzzReadSpec(f *testing.F) {
	f.Add([]byte(`{"argv":["true"]}input`), "17")
	f.Add([]byte(`{"argv":["true"]}`), "")
	f.Add([]byte(`{}`), "4294967296")
	f.Add([]byte(`{"argv":["a\u0000"],"timeout_ms":-1}`), "-1")
	f.Fuzz(func(t *testing.T, body []byte, header string) {
		request, err := http.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			request.Header.Set(specHeader, header)
		}
		s, err := readSpec(request)
		if err != nil {
			return
		}
		if len(s.Argv) == 0 || s.timeout() < 0 || s.OutputLimitBytes < 0 {
			t.Fatalf("accepted: %+v", s)
		}
		rest, err := io.ReadAll(request.Body)
		if err != nil || !bytes.HasSuffix(body, rest) {
			t.Fatalf("the input is %q, %v", rest, err)
		}
	})
}
