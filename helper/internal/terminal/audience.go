package terminal

import "slices"

// Mode is what an attachment may do.
type Mode string

const (
	// Write may type, resize and slow the program down.
	Write Mode = "write"
	// Read only watches.
	Read Mode = "read"
)

// attachment is one client's stream. The terminal's lock guards `position`.
type attachment struct {
	client   string
	position int64         // behind the last byte that the response has accepted
	wake     chan struct{} // holds one token when there is something new to send
	cut      func()        // ends the stream from outside
}

func newAttachment(client string, position int64, cut func()) *attachment {
	return &attachment{client: client, position: position, wake: make(chan struct{}, 1), cut: cut}
}

// notify never blocks: one token is enough to make a stream look at everything.
func (a *attachment) notify() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// audience decides who of a terminal's attachments writes: at most one, and nobody becomes it by somebody else's leaving.
type audience struct {
	members []*attachment
	writer  *attachment
}

// join adds an attachment. One that wants to write replaces what its own client had attached before: a client whose connection was lost
// must not find itself locked out by the ghost of it. The replaced are no longer members; the caller cuts them.
func (a *audience) join(one *attachment, wanted Mode) (replaced []*attachment) {
	replaced = a.ghosts(one.client, wanted)
	for _, ghost := range replaced {
		a.leave(ghost)
	}
	if wanted == Write && a.writer == nil {
		a.writer = one
	}
	a.members = append(a.members, one)
	return replaced
}

// ghosts are those that a client's new attachment replaces.
func (a *audience) ghosts(client string, wanted Mode) (ghosts []*attachment) {
	for _, one := range a.members {
		if wanted == Write && one.client == client {
			ghosts = append(ghosts, one)
		}
	}
	return ghosts
}

// leave removes an attachment; false where it is none any more.
func (a *audience) leave(one *attachment) bool {
	at := slices.Index(a.members, one)
	if at >= 0 {
		a.members = slices.Delete(a.members, at, at+1)
	}
	if a.writer == one {
		a.writer = nil
	}
	return at >= 0
}

// takeOver makes a client's latest attachment the writer; false where it has none.
func (a *audience) takeOver(client string) bool {
	if a.writer != nil && a.writer.client == client {
		return true
	}
	for _, one := range slices.Backward(a.members) {
		if one.client == client {
			a.writer = one
			return true
		}
	}
	return false
}

func (a *audience) mode(one *attachment) Mode {
	if a.writer == one {
		return Write
	}
	return Read
}

func (a *audience) readers() int {
	if a.writer != nil {
		return len(a.members) - 1
	}
	return len(a.members)
}
