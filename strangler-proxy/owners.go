package strangler

import (
	"fmt"

	"github.com/stranglerfig/toolkit/strangler-proxy/config"
	"github.com/stranglerfig/toolkit/strangler-proxy/route"
	"github.com/stranglerfig/toolkit/strangler-proxy/splits"
)

// firstLoad loads the configuration that the proxy starts with. A route of a split may be
// live in it though nobody has told this proxy of the switch: it is a new one, or its
// records are gone. Then the file is believed, for it may have been live for months; later,
// only a record lets such a route go live.
func (s *splitting) firstLoad() (*config.Config, string, error) {
	path := s.opts.ConfigPath
	cfg, hash, err := load(path, s.opts.LookupEnv, nil)
	if err != nil {
		return nil, "", err
	}
	records, err := splits.Read(path)
	if err != nil {
		return nil, "", err
	}
	s.believed = map[string]bool{}
	for _, r := range cfg.Routes {
		if _, told := records[r.Split]; !told && r.Data == route.DataSplit && r.Stage >= route.Live && !s.believed[r.Split] {
			s.believed[r.Split] = true
			s.opts.Log.Warn("nobody has told this proxy who owns the tables of a split; its file says that the service does", "split", r.Split, "route", r.Name,
				"remedy", "strangler split cutover "+r.Split+" tells it again")
		}
	}
	if len(s.believed) == 0 {
		return cfg, hash, nil
	}
	cfg, hash, err = load(path, s.opts.LookupEnv, s.believed)
	return cfg, hash, err
}

// warn says which routes the owner of their tables keeps, against their stage, since now
// and not before.
func (s *splitting) warn(before, now *config.Config) {
	for i := range now.Routes {
		r := &now.Routes[i]
		why := now.Held(r)
		if why == "" {
			continue
		}
		if before != nil {
			if was := before.Route(r.Name); was != nil && before.Held(was) == why {
				continue
			}
		}
		s.opts.Log.Warn("a route does not lead where its stage says", "route", r.Name, "stage", r.Stage.String(), "why", why,
			"remedy", fmt.Sprintf("strangler status --config %s", s.opts.ConfigPath))
	}
}
