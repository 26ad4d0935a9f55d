package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The processors: the proxy under measurement has one for itself.
const (
	proxyCPU = 0
	loadCPU  = 1
)

// The names of those that goals speak of.
const (
	relayName   = "relay that parses nothing"
	nginxName   = "nginx"
	caddyName   = "Caddy"
	traefikName = "Traefik"
	oursName    = "strangler proxy"
)

// A contestant is a running proxy.
type contestant struct {
	name    string
	addr    string
	admin   string // ours only
	process *process
}

// A recipe says how a proxy is started in front of an upstream. Its files have
// been written when args are made.
type recipe struct {
	name    string
	program string // on PATH; empty: this program as a stand-in
	version []string
	files   map[string]string // with {dir}, {addr} and {up}
	args    []string          // with the same
	tls     bool
}

// recipes are all proxies but ours. Each keeps connections on both sides, passes the
// address of the client on, and writes no access log.
func recipes() []recipe {
	return []recipe{
		{name: relayName, args: []string{standInFlag, "relay={addr}={up}"}},
		{name: nginxName, program: "nginx", version: []string{"-v"}, files: map[string]string{"nginx.conf": nginxConf()}, args: []string{"-c", "{dir}/nginx.conf"}},
		{name: "HAProxy", program: "haproxy", version: []string{"-v"}, files: map[string]string{"haproxy.cfg": haproxyConf}, args: []string{"-f", "{dir}/haproxy.cfg"}},
		{name: caddyName, program: "caddy", version: []string{"version"}, files: map[string]string{"Caddyfile": caddyConf}, args: []string{"run", "--adapter", "caddyfile", "--config", "{dir}/Caddyfile"}},
		{name: traefikName, program: "traefik", version: []string{"version"}, files: map[string]string{"traefik.yaml": traefikConf, "routes.yaml": traefikRoutes}, args: []string{"--configFile={dir}/traefik.yaml"}},
		{name: "httputil.ReverseProxy", args: []string{standInFlag, "reverseproxy={addr}={up}"}},
	}
}

func nginxConf() string {
	user := ""
	if os.Getuid() == 0 {
		user = "user root;\n"
	}
	return user + `worker_processes 1;
daemon off;
worker_rlimit_nofile 16384;
pid {dir}/nginx.pid;
error_log {dir}/nginx.log crit;
events { worker_connections 8192; multi_accept on; }
http {
  access_log off;
  tcp_nodelay on;
  keepalive_timeout 120s;
  keepalive_requests 1000000000;
  client_body_buffer_size 64k;
  proxy_buffer_size 16k;
  proxy_buffers 8 32k;
  proxy_busy_buffers_size 64k;
  client_body_temp_path {dir}/nginx-body;
  proxy_temp_path {dir}/nginx-proxy;
  fastcgi_temp_path {dir}/nginx-fastcgi;
  uwsgi_temp_path {dir}/nginx-uwsgi;
  scgi_temp_path {dir}/nginx-scgi;
  upstream shop { server {up}; keepalive 1024; keepalive_requests 1000000000; }
  server {
    listen {addr} backlog=4096;
    location / {
      proxy_pass http://shop;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}
`
}

const haproxyConf = `global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 120s
  timeout server 60s
  http-reuse always
  option forwardfor
frontend clients
  bind {addr}
  http-request set-header X-Forwarded-Proto http
  default_backend shop
backend shop
  server shop {up} pool-max-conn 1024 pool-purge-delay 60s
`

const caddyConf = `{
	admin off
	auto_https off
}
http://{addr} {
	reverse_proxy {up} {
		transport http {
			keepalive_idle_conns 1024
			keepalive_idle_conns_per_host 1024
			compression off
			versions 1.1
		}
	}
}
`

const caddyTLSConf = `{
	admin off
	auto_https off
}
https://{addr} {
	tls {dir}/cert.pem {dir}/key.pem
	reverse_proxy {up} {
		transport http {
			keepalive_idle_conns 1024
			keepalive_idle_conns_per_host 1024
			compression off
			versions 1.1
		}
	}
}
`

const traefikConf = `entryPoints: { web: { address: "{addr}" } }
providers: { file: { filename: "{dir}/routes.yaml" } }
serversTransport: { maxIdleConnsPerHost: 1024 }
log: { level: ERROR }
`

const traefikRoutes = `http:
  routers: { all: { rule: "PathPrefix(` + "`/`" + `)", entryPoints: [web], service: shop } }
  services: { shop: { loadBalancer: { servers: [ { url: "http://{up}" } ] } } }
`

// installed says whether there is the program of a recipe, and which version.
func (r recipe) installed(ctx context.Context) (string, bool) {
	if r.program == "" {
		return "", true
	}
	if _, err := exec.LookPath(r.program); err != nil {
		return "", false
	}
	out, _ := exec.CommandContext(ctx, r.program, r.version...).CombinedOutput() //nolint:errcheck // what it says counts
	for word := range strings.FieldsSeq(string(out)) {
		word = strings.TrimPrefix(word, "nginx/")
		word = strings.TrimPrefix(word, "v")
		if word != "" && word[0] >= '0' && word[0] <= '9' && strings.Contains(word, ".") {
			return word, true
		}
	}
	return "of an unknown version", true
}

// start starts the proxy of a recipe in a folder of its own.
func (r recipe) start(ctx context.Context, s settings, up string) (*contestant, error) {
	addr, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.dir, "proxy-")
	if err != nil {
		return nil, fmt.Errorf("scratch folder: %w", err)
	}
	fill := strings.NewReplacer("{dir}", dir, "{addr}", addr, "{up}", up)
	for name, text := range r.files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(fill.Replace(text)), 0o644); err != nil {
			return nil, fmt.Errorf("configure %s: %w", r.name, err)
		}
	}
	path := r.program
	if path == "" {
		if path, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	var args []string
	for _, arg := range r.args {
		args = append(args, fill.Replace(arg))
	}
	health := "http://" + addr + smallPath
	if r.tls {
		health = "https://" + addr + smallPath
	}
	p, err := startOn(ctx, proxyCPU, path, health, args...)
	if err != nil {
		return nil, err
	}
	return &contestant{name: r.name, addr: addr, process: p}, nil
}

// startOn is start on one processor.
func startOn(ctx context.Context, cpu int, path, health string, args ...string) (*process, error) {
	var p *process
	err := onCPU(cpu, func() (err error) {
		p, err = start(ctx, path, health, 30*time.Second, args...)
		return err
	})
	return p, err
}

// A variant is a way to run our proxy.
type variant struct {
	name   string
	routes int
	stage  string // of the routes; live without
	shadow int    // percent of the reads that are copied
	log    bool
	tls    string // folder with cert.pem and key.pem
}

// start starts our proxy. Whatever is on by default is on: metrics, request ids, forwarded
// headers, discovery, breakers, timeouts.
func (v variant) start(ctx context.Context, s settings, up string) (*contestant, error) {
	path, err := s.path("strangler")
	if err != nil {
		return nil, err
	}
	addrs, err := freeAddresses(ctx, 2)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.dir, "ours-")
	if err != nil {
		return nil, fmt.Errorf("scratch folder: %w", err)
	}
	file := filepath.Join(dir, "strangler.yaml")
	if err := os.WriteFile(file, []byte(v.config(addrs[0], addrs[1], up)), 0o644); err != nil {
		return nil, fmt.Errorf("configure our proxy: %w", err)
	}
	p, err := startOn(ctx, proxyCPU, path, "http://"+addrs[1]+"/healthz", "proxy", "--config", file, "--log-level", "warn")
	if err != nil {
		return nil, err
	}
	return &contestant{name: v.name, addr: addrs[0], admin: addrs[1], process: p}, nil
}

func (v variant) config(addr, admin, up string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: 1\nlisten: %s\nadmin: { listen: %s }\nmonolith: http://%s\nservices: { shop: http://%s }\nguard: off\n", addr, admin, up, up)
	fmt.Fprintf(&b, "defaults: { shadow: { percent: %d } }\n", v.shadow)
	if v.log {
		b.WriteString("log: { access: json, path: access.log }\n")
	} else {
		b.WriteString("log: { access: off }\n")
	}
	if v.tls != "" {
		fmt.Fprintf(&b, "tls: { cert: %s/cert.pem, key: %s/key.pem }\n", v.tls, v.tls)
	}
	b.WriteString("routes:\n")
	for i := range v.routes {
		number := loadedRoute - v.routes/2 + i // the load asks for the one in the middle
		fmt.Fprintf(&b, "  r%d: { match: \"/resource%d/{id}\", to: shop, stage: %s }\n", i, number, cmp.Or(v.stage, "live"))
	}
	return b.String()
}
