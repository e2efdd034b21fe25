// Package launch is the last step into a container of the embedded cluster whose image holds no program at all: it turns into the
// container's root, gives up every privilege, finds the command, and becomes it.
//
// Where an image has a shell, a script does the last part of this (dev/cluster/node/runtime/scripts.ts); both read the same variables and
// report the same words.
package launch

import (
	"fmt"
	"strconv"
	"strings"
)

// request is what the variables BERTH_* ask for.
type request struct {
	root         string // the folder to turn into; "" where we are in the container already
	user         *user  // nil: as we are
	deathSignal  bool   // end with the process that started us
	processLimit uint64 // 0: none of our own
	directory    string
	path         string
	argv         []string
	env          []string
	terminal     terminal
}

type user struct {
	uid, gid int
	groups   []int
}

type terminal string

const (
	noTerminal      terminal = ""
	wantsTerminal   terminal = "1"
	withinATerminal terminal = "inside"
)

func parseRequest(environ []string) (request, error) {
	variables := make(map[string]string, len(environ))
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		variables[name] = value
	}
	wanted := request{
		root:        variables["BERTH_ROOT_FOLDER"],
		deathSignal: variables["BERTH_DEATH_SIGNAL"] != "",
		directory:   variables["BERTH_DIRECTORY"],
		path:        variables["BERTH_PATH"],
		terminal:    terminal(variables["BERTH_TERMINAL"]),
	}
	var err error
	if wanted.user, err = parseUser(variables["BERTH_USER"]); err != nil {
		return request{}, err
	}
	if limit := variables["BERTH_PROCESSES"]; limit != "" {
		if wanted.processLimit, err = strconv.ParseUint(limit, 10, 64); err != nil {
			return request{}, fmt.Errorf("BERTH_PROCESSES: %w", err)
		}
	}
	if wanted.argv, err = numbered(variables, "BERTH_ARGUMENT"); err != nil {
		return request{}, err
	}
	wanted.env, err = numbered(variables, "BERTH_VARIABLE")
	return wanted, err
}

// numbered reads NAME_0 and on, as many as NAMES says.
func numbered(variables map[string]string, name string) ([]string, error) {
	count, err := strconv.Atoi(variables[name+"S"])
	if err != nil {
		return nil, fmt.Errorf("%sS: %w", name, err)
	}
	var values []string
	for index := range count {
		value, ok := variables[name+"_"+strconv.Itoa(index)]
		if !ok {
			return nil, fmt.Errorf("%s_%d is missing", name, index)
		}
		values = append(values, value)
	}
	return values, nil
}

// parseUser reads `uid:gid:group,group`.
func parseUser(text string) (*user, error) {
	if text == "" {
		return nil, nil
	}
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return nil, fmt.Errorf("BERTH_USER is %q, not uid:gid:groups", text)
	}
	uid, errUser := strconv.Atoi(parts[0])
	gid, errGroup := strconv.Atoi(parts[1])
	if errUser != nil || errGroup != nil {
		return nil, fmt.Errorf("BERTH_USER is %q, not uid:gid:groups", text)
	}
	groups := []int{}
	for group := range strings.SplitSeq(parts[2], ",") {
		if group == "" {
			continue
		}
		number, err := strconv.Atoi(group)
		if err != nil {
			return nil, fmt.Errorf("BERTH_USER: group %q", group)
		}
		groups = append(groups, number)
	}
	return &user{uid: uid, gid: gid, groups: groups}, nil
}
