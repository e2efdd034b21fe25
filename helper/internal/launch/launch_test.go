package launch

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestARequestIsReadFromItsVariablesToTheLetter(t *testing.T) {
	got, err := parseRequest([]string{
		"BERTH_USER=1000:1001:7,8", "BERTH_DIRECTORY=/w", "BERTH_PATH=/a:/b", "BERTH_DEATH_SIGNAL=1", "BERTH_PROCESSES=256",
		"BERTH_ARGUMENTS=3", "BERTH_ARGUMENT_0=x", "BERTH_ARGUMENT_1=", "BERTH_ARGUMENT_2=a=b\n$c",
		"BERTH_VARIABLES=1", "BERTH_VARIABLE_0=odd-name.x=v=w",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := request{
		user: &user{uid: 1000, gid: 1001, groups: []int{7, 8}}, directory: "/w", path: "/a:/b", deathSignal: true, processLimit: 256,
		argv: []string{"x", "", "a=b\n$c"}, env: []string{"odd-name.x=v=w"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestARequestThatIsNotWholeIsRefused(t *testing.T) {
	for _, environ := range [][]string{
		{},
		{"BERTH_ARGUMENTS=1", "BERTH_VARIABLES=0"},
		{"BERTH_ARGUMENTS=0", "BERTH_VARIABLES=x"},
		{"BERTH_ARGUMENTS=0", "BERTH_VARIABLES=0", "BERTH_USER=0"},
		{"BERTH_ARGUMENTS=0", "BERTH_VARIABLES=0", "BERTH_USER=a:b:"},
		{"BERTH_ARGUMENTS=0", "BERTH_VARIABLES=0", "BERTH_USER=1:1:x"},
		{"BERTH_ARGUMENTS=0", "BERTH_VARIABLES=0", "BERTH_PROCESSES=-1"},
	} {
		if got, err := parseRequest(environ); err == nil {
			t.Errorf("%q was taken for %+v", environ, got)
		}
	}
}

func TestACommandIsFoundAsAContainerRuntimeFindsIt(t *testing.T) {
	folder := t.TempDir()
	program := filepath.Join(folder, "program")
	for name, mode := range map[string]os.FileMode{"program": 0o755, "text": 0o644} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ name, program, problem string }{
		{"program", program, ""},
		{program, program, ""},
		{"nope", "", problemMissing},
		{"", "", problemMissing},
		{"text", "", problemMissing},
		{folder + "/text", "", problemDenied},
		{folder, "", problemDenied},
		{folder + "/nope", "", problemAbsent},
	} {
		found, problem := find(test.name, "/no/such:"+folder)
		if found != test.program || problem != test.problem {
			t.Errorf("%q: %q %q, want %q %q", test.name, found, problem, test.program, test.problem)
		}
	}
}
