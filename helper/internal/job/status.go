package job

import (
	"strconv"
	"strings"
	"time"

	"berth.dev/helper/internal/process"
)

// End is the protocol's word for why a job ended.
type End string

// The ends of a job.
const (
	Exited       End = "exited"
	Signaled     End = "signaled"
	Cancelled    End = "cancelled"
	OOMKilled    End = "oom_killed"
	OutputLimit  End = "output_limit"
	Deadline     End = "deadline"
	PodRestarted End = "pod_restarted"
)

// Status is what GET /jobs/{id} answers, and what a job's folder holds of it once it has ended.
type Status struct {
	ID          string     `json:"id"`
	Status      string     `json:"status"`
	End         *End       `json:"end"`
	ExitCode    *int       `json:"exit_code"`
	Signal      *string    `json:"signal"`
	StartedAt   time.Time  `json:"started_at"`
	EndedAt     *time.Time `json:"ended_at"`
	StdoutBytes int64      `json:"stdout_bytes"`
	StderrBytes int64      `json:"stderr_bytes"`
	OOMKilled   bool       `json:"oom_killed"`
	Message     *string    `json:"message"`
}

const (
	running = "running"
	ended   = "ended"
)

// maxMessage bounds a message, which may quote what the user's program is called, in bytes.
const maxMessage = 1000

// endWith makes an ended status of a running one. What we ended it for counts before what the process made of it; what no process can
// tell any more is left out.
func (s Status) endWith(cause End, how process.Status, message string, now time.Time) Status {
	s.Status = ended
	moment := now.UTC()
	s.EndedAt = &moment
	end := cause
	switch {
	case cause != "":
	case how.OOMKilled:
		end = OOMKilled
	case how.Signal != 0:
		end = Signaled
	default:
		end = Exited
	}
	s.End = &end
	s.note(message)
	if end == PodRestarted {
		return s
	}
	s.OOMKilled = how.OOMKilled
	s.ExitCode = &how.ExitCode
	if how.Signal != 0 {
		name := signalName(how)
		s.Signal = &name
	}
	return s
}

// note adds to the message.
func (s *Status) note(more string) {
	if more == "" {
		return
	}
	if s.Message != nil {
		more = *s.Message + "; " + more
	}
	more = strings.ToValidUTF8(more[:min(len(more), maxMessage)], "")
	s.Message = &more
}

// signalName is a number where the signal has no name, as those for real time.
func signalName(how process.Status) string {
	if name := process.SignalName(how.Signal); name != "" {
		return name
	}
	return strconv.Itoa(int(how.Signal))
}
