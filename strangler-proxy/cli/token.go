package cli

import (
	"context"
	"net"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
)

// tokenVariable holds the token itself. There is no flag for it: what is on a command
// line, every user of the machine can read.
const tokenVariable = "STRANGLER_TOKEN"

// token is what commands show to the admin address: from the environment, else from
// --token-file, else from the file that the configuration names if this user may read
// it. Without any of them it is empty.
func (t *tool) token() (string, error) {
	if secret, _ := t.lookup(tokenVariable); secret != "" {
		return secret, nil
	}
	if t.tokenFile != "" {
		secret, err := admin.ReadSecret(t.tokenFile)
		if err != nil {
			return "", program.Fail(program.Usage, "give a file that you may read with --token-file", "%w", err)
		}
		return secret, nil
	}
	if cfg, err := t.read(); err == nil && cfg.Tokens != "" {
		secret, _ := admin.ReadSecret(cfg.Tokens) // the proxy says so if it asks for one
		return secret, nil
	}
	return "", nil
}

type tokenKey struct{}

// carryToken lets whatever the command asks the admin address carry the token.
func (t *tool) carryToken(cmd *cobra.Command) {
	cmd.SetContext(context.WithValue(cmd.Context(), tokenKey{}, t.token))
}

func tokenOf(ctx context.Context) (string, error) {
	if token, ok := ctx.Value(tokenKey{}).(func() (string, error)); ok {
		return token()
	}
	return "", nil
}

// reachable is an address to connect to for one that is listened on: every address of
// the machine is reached by the loopback one.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" || err == nil && ip.IsUnspecified() && ip.Is4():
		return net.JoinHostPort("127.0.0.1", port)
	case err == nil && ip.IsUnspecified():
		return net.JoinHostPort("::1", port)
	}
	return listen
}
