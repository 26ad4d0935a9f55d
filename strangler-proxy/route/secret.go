package route

import "strings"

// secretWords mark a placeholder as one that stands for a secret.
var secretWords = []string{"token", "secret", "password", "apikey", "session", "credential", "otp"} //nolint:gochecknoglobals // a constant that Go cannot spell

// HoldsSecret reports whether a placeholder says by its name, such as {token}, that it
// stands for a secret. Logs then show the template, not the path.
func (t Template) HoldsSecret() bool { return t.secret }

func isSecretName(name string) bool {
	name = strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
	for _, word := range secretWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
