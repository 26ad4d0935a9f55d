package admin

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// Tokens say who may use the admin address. They are kept as hashes only; without any,
// whoever reaches the address may.
type Tokens []token

type token struct {
	name string
	hash [sha256.Size]byte
}

// Limits of a token file.
const (
	limitTokenFile = 64 << 10
	shortestToken  = 16 // characters
)

var tokenName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// ReadTokens reads a file of tokens: one a line, with the name of its owner before it
// unless there is only one. Empty lines and those that begin with # do not count. A
// file that others may read or write is refused. No error repeats a token.
func ReadTokens(path string) (Tokens, error) {
	entries, err := readTokenFile(path)
	if err != nil {
		return nil, err
	}
	tokens := make(Tokens, len(entries))
	for i, e := range entries {
		tokens[i] = token{e.name, sha256.Sum256([]byte(e.secret))}
	}
	return tokens, nil
}

// ReadSecret reads the first token of such a file, for a client.
func ReadSecret(path string) (string, error) {
	entries, err := readTokenFile(path)
	if err != nil {
		return "", err
	}
	return entries[0].secret, nil
}

// A tokenEntry is a line of a token file.
type tokenEntry struct{ name, secret string }

func readTokenFile(path string) ([]tokenEntry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("tokens: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("tokens: %s is not a regular file", path)
	case info.Mode().Perm()&0o027 != 0:
		return nil, fmt.Errorf("tokens: %s may be read by everybody or written by others (mode %04o): chmod 600 it", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, limitTokenFile+1))
	if err != nil {
		return nil, fmt.Errorf("tokens: %w", err)
	}
	if len(text) > limitTokenFile {
		return nil, fmt.Errorf("tokens: %s is larger than 64 KiB", path)
	}
	return parseTokens(path, text)
}

func parseTokens(path string, text []byte) ([]tokenEntry, error) {
	var all []tokenEntry
	number := 0
	for line := range bytes.Lines(text) {
		number++
		fields := strings.Fields(string(line))
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		name := "admin"
		if len(fields) == 2 {
			name = fields[0]
		}
		secret := fields[len(fields)-1]
		switch {
		case len(fields) > 2:
			return nil, fmt.Errorf("tokens: %s:%d: a line is NAME TOKEN, or TOKEN alone", path, number)
		case !tokenName.MatchString(name):
			return nil, fmt.Errorf("tokens: %s:%d: the name may have letters, digits, . _ - and at most 64 of them", path, number)
		case len(secret) < shortestToken:
			return nil, fmt.Errorf("tokens: %s:%d: a token has at least %d characters", path, number, shortestToken)
		}
		for _, other := range all {
			if other.name == name || other.secret == secret {
				return nil, fmt.Errorf("tokens: %s:%d: the name or the token stands there twice", path, number)
			}
		}
		all = append(all, tokenEntry{name, secret})
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("tokens: %s holds no token", path)
	}
	return all, nil
}

// Knows reports whether a secret is one of the tokens. Without any, none is.
func (t Tokens) Knows(secret string) bool {
	_, ok := t.owner(secret)
	return ok
}

// owner returns the name that belongs to a secret. How long it takes says nothing about
// the secret.
func (t Tokens) owner(secret string) (name string, ok bool) {
	hash := sha256.Sum256([]byte(secret))
	for _, one := range t {
		if subtle.ConstantTimeCompare(one.hash[:], hash[:]) == 1 {
			name, ok = one.name, true
		}
	}
	return name, ok
}
