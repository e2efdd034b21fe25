package terminal

import "time"

// status is what GET /terminals/{id} answers.
type status struct {
	ID            string     `json:"id"`
	PID           int        `json:"pid"`
	Offset        int64      `json:"offset"`
	OldestOffset  int64      `json:"oldest_offset"`
	ExitCode      *int       `json:"exit_code"`
	Signal        *string    `json:"signal"`
	EndedAt       *time.Time `json:"ended_at"`
	DetachedSince *time.Time `json:"detached_since"`
	Readers       int        `json:"readers"`
	Cols          int        `json:"cols"`
	Rows          int        `json:"rows"`
}

func (t *Terminal) status() status {
	t.mu.Lock()
	defer t.mu.Unlock()
	oldest, end := t.ring.Bounds()
	answer := status{
		ID: t.id, PID: t.process.PID(), Offset: end, OldestOffset: oldest,
		DetachedSince: inUTC(t.detachedSince), EndedAt: inUTC(t.endedAt),
		Readers: t.audience.readers(), Cols: t.cols, Rows: t.rows,
	}
	if !t.endedAt.IsZero() {
		how := t.process.Status()
		answer.ExitCode, answer.Signal = &how.ExitCode, signalName(how)
	}
	return answer
}

func (t *Terminal) endTime() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.endedAt
}

// inUTC answers nil for no time.
func inUTC(moment time.Time) *time.Time {
	if moment.IsZero() {
		return nil
	}
	moment = moment.UTC()
	return &moment
}
