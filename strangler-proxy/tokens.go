package strangler

import (
	"net"

	"github.com/stranglerfig/toolkit/internal/program"
	"github.com/stranglerfig/toolkit/strangler-proxy/admin"
	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/steer"
)

var _ admin.Steerer = (*Proxy)(nil)

// Steering implements admin.Steerer.
func (p *Proxy) Steering() *steer.File {
	if p.opts.ConfigPath == "" {
		return nil
	}
	return p.scribe.file
}

// Configuration implements admin.Steerer.
func (p *Proxy) Configuration() *config.Config { return p.current.Load().config }

// adminOptions are those of the admin listener, which is bound by now.
func (p *Proxy) adminOptions() admin.Options {
	return admin.Options{Log: p.opts.Log, Access: admin.Access{
		Beyond: !isLoopback(p.private.Addr()),
		Tokens: func() admin.Tokens {
			if tokens := p.tokens.Load(); tokens != nil {
				return *tokens
			}
			return nil
		},
	}}
}

func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// readTokens reads who may use the admin address. An address that other machines reach
// needs tokens.
func (p *Proxy) readTokens(cfg *config.Config, address string) (admin.Tokens, error) {
	if cfg.Tokens != "" {
		return admin.ReadTokens(cfg.Tokens)
	}
	if !config.IsLoopback(address) {
		return nil, program.Fail(program.Usage, "use 127.0.0.1:PORT, or set admin.token_file",
			"the admin address %s is not a loopback address: whoever reaches it controls the proxy", address)
	}
	return nil, nil
}
