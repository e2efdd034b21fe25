package files

import (
	"encoding/hex"
	"strings"
	"time"

	"berth.dev/helper/internal/ids"
)

// part is one request of an upload.
type part struct {
	destination string
	hidden      string
	offset      int64
	commit      bool
	// Of a commit: what the whole must be, and what the file gets. Each is optional.
	sum       string
	mode      uint32
	modeGiven bool
	mtime     time.Time
}

// uploadAnswer says where an upload stands.
type uploadAnswer struct {
	Offset    int64 `json:"offset"`
	Committed bool  `json:"committed"`
}

// readUpload reads what every request about an upload names.
func readUpload(parameters query) (destination, hidden string, err error) {
	path, err := parameters.namedPath("path")
	if err != nil {
		return "", "", err
	}
	upload := parameters.text("upload")
	if !ids.Valid(upload) {
		return "", "", badRequest("upload is not an id")
	}
	destination, err = resolveDestination(path)
	if err != nil {
		return "", "", err
	}
	return destination, hiddenPath(destination, upload), nil
}

func readPart(parameters query) (asked part, err error) {
	if asked.destination, asked.hidden, err = readUpload(parameters); err != nil {
		return part{}, err
	}
	if asked.offset, err = parameters.number("offset", 0); err != nil {
		return part{}, err
	}
	if asked.commit, err = parameters.flag("commit"); err != nil {
		return part{}, err
	}
	if asked.mode, asked.modeGiven, err = parameters.mode(); err != nil {
		return part{}, err
	}
	milliseconds, err := parameters.number("mtime_ms", -1)
	if err != nil {
		return part{}, err
	}
	if milliseconds >= 0 {
		asked.mtime = time.UnixMilli(milliseconds)
	}
	asked.sum = strings.ToLower(parameters.text("sha256"))
	if sum, err := hex.DecodeString(asked.sum); err != nil || len(sum) != 0 && len(sum) != 32 {
		return part{}, badRequest("sha256 is not 64 hexadecimal digits")
	}
	return asked, nil
}
