package job

import (
	"encoding/json"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"berth.dev/helper/internal/process"
)

func TestEndSaysWhatWeEndedItForAndElseWhatTheProcessMadeOfIt(t *testing.T) {
	killed := process.Status{ExitCode: 137, Signal: syscall.SIGKILL}
	oom := process.Status{ExitCode: 137, Signal: syscall.SIGKILL, OOMKilled: true}
	for _, test := range []struct {
		cause  End
		how    process.Status
		wanted string
	}{
		{"", process.Status{}, `"exited" 0 null false`},
		{"", process.Status{ExitCode: 137, OOMKilled: true}, `"oom_killed" 137 null true`},
		{"", killed, `"signaled" 137 "KILL" false`},
		{"", oom, `"oom_killed" 137 "KILL" true`},
		{Deadline, killed, `"deadline" 137 "KILL" false`},
		{Cancelled, process.Status{}, `"cancelled" 0 null false`},
		{OutputLimit, oom, `"output_limit" 137 "KILL" true`},
		{PodRestarted, process.Status{}, `"pod_restarted" null null false`},
		{"", process.Status{ExitCode: 128 + 34, Signal: 34}, `"signaled" 162 "34" false`},
	} {
		status := Status{Status: running}.endWith(test.cause, test.how, "", time.Now())
		var parts []string
		for _, value := range []any{status.End, status.ExitCode, status.Signal, status.OOMKilled} {
			text, err := json.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, string(text))
		}
		if got := strings.Join(parts, " "); got != test.wanted || status.Status != ended || status.EndedAt == nil {
			t.Errorf("%q %+v: %s", test.cause, test.how, got)
		}
	}
}

func TestMessageIsBoundedAndStaysText(t *testing.T) {
	status := Status{}.endWith("", process.Status{}, strings.Repeat("ü", 5000), time.Now())
	if len(*status.Message) > maxMessage || strings.Trim(*status.Message, "ü") != "" {
		t.Fatalf("%d bytes", len(*status.Message))
	}
}

func FuzzExtent(f *testing.F) {
	f.Add("offset=1&limit=2&follow=1")
	f.Fuzz(func(t *testing.T, text string) {
		query, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		if asked, err := parseExtent(query); err == nil && (asked.offset < 0 || asked.limit < -1) {
			t.Fatalf("%q is %+v", text, asked)
		}
	})
}
