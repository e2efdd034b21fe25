// Package ids knows what an id may look like. Ids are chosen by the control plane and name files, so nothing else gets past here.
package ids

const longest = 64

// Valid tells whether the text is an id: [A-Za-z0-9_-]{1,64}. By hand, for the package regexp alone would be 3 % of the program.
func Valid(text string) bool {
	if text == "" || len(text) > longest {
		return false
	}
	for i := range len(text) {
		c := text[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
