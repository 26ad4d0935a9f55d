package hostile_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

// newSockets is an upstream of WebSockets. At /echo it returns every byte, and says
// farewell once the client has ended its half. At /first it ends its own half first, and
// then tells heard what came.
func newSockets(t *testing.T, heard func(string)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, upgrade)
		if r.URL.Path == "/first" {
			_, _ = io.WriteString(conn, "farewell")
			_ = conn.(*net.TCPConn).CloseWrite()
			hash := sha256.New()
			_, err := io.Copy(hash, rw)
			heard(fmt.Sprintf("%s %v", hex.EncodeToString(hash.Sum(nil)), err))
			return
		}
		_, _ = io.Copy(conn, rw)
		_, _ = io.WriteString(conn, "farewell")
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// frames are random frames of a client: whole and in fragments, with pings between
// them, of all sizes at which the form of a frame changes, some with text that is none,
// and a close at their end.
func frames(seed uint64, count int) []byte {
	dice := rand.New(rand.NewPCG(seed, 14))
	var all []byte
	within := false // a message in fragments
	for n := range count {
		size := []int{0, 0, 1, 125, 126, 127, 1000, 65_535, 65_536}[dice.IntN(9)]
		if size > 1000 && dice.IntN(4) > 0 {
			size = dice.IntN(1000)
		}
		kind, last := byte(1+dice.IntN(2)), dice.IntN(3) > 0
		switch {
		case n == count-1:
			kind, last, size = 8, true, 2
		case dice.IntN(5) == 0:
			kind, last, size = 9+byte(dice.IntN(2)), true, min(size, 125)
		case within:
			kind = 0
		}
		if kind < 8 {
			within = !last
		}
		payload := make([]byte, size) // not UTF-8, as a rule
		for i := range payload {
			payload[i] = byte(dice.Uint32())
		}
		if kind == 8 {
			binary.BigEndian.PutUint16(payload, uint16(1000+dice.IntN(4000)))
		}
		all = appendFrame(all, kind, last, dice.Uint32(), payload)
	}
	return all
}

// appendFrame writes a frame as clients do, masked.
func appendFrame(dst []byte, kind byte, last bool, mask uint32, payload []byte) []byte {
	if last {
		kind |= 0x80
	}
	dst = append(dst, kind)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	dst = binary.BigEndian.AppendUint32(dst, mask)
	key := dst[len(dst)-4:]
	for i, b := range payload {
		dst = append(dst, b^key[i%4])
	}
	return dst
}

// socket opens a WebSocket.
func (p *proxy) socket(path string) (*net.TCPConn, *bufio.Reader, error) {
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		return nil, nil, err
	}
	p.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path)
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err == nil && (res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") {
		err = fmt.Errorf("%s %v", res.Status, res.Header)
	}
	return conn.(*net.TCPConn), in, err
}

// Hundreds of sockets at a time, with whatever frames there are: every byte passes in
// both directions, either side can end its half first, and none notices a reload that
// takes its route elsewhere.
func TestWebSocketsPassEveryByte(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	heard := map[string]int{}
	upstream := newSockets(t, func(what string) {
		mu.Lock()
		defer mu.Unlock()
		heard[what]++
	})
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(elsewhere.Close)
	config := "monolith: " + upstream + "\n"
	p := start(t, config)
	sockets := size(500, 40)
	var half, all sync.WaitGroup
	half.Add(sockets)
	reloaded := make(chan struct{})
	for n := range sockets {
		all.Go(func() {
			meet := sync.OnceFunc(func() { half.Done(); <-reloaded })
			defer meet()
			if err := p.talk(n, meet); err != nil {
				t.Errorf("socket %d: %v", n, err)
			}
		})
	}
	half.Wait()
	p.write(strings.Replace(config, upstream, elsewhere.URL, 1))
	await(t, "the reload", 20*time.Second, func() bool {
		res, err := http.Get("http://" + p.address + "/")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusNotFound
	})
	close(reloaded)
	all.Wait()
	for n := range sockets {
		hash := sha256.Sum256(frames(uint64(n), 100))
		if want := hex.EncodeToString(hash[:]) + " <nil>"; n%4 == 0 {
			await(t, fmt.Sprintf("what the upstream heard of socket %d", n), 20*time.Second, func() bool {
				mu.Lock()
				defer mu.Unlock()
				return heard[want] == 1
			})
		}
	}
}

// talk says all frames of one socket, with meet in the middle of them, and checks what
// comes back.
func (p *proxy) talk(n int, meet func()) error {
	sent := frames(uint64(n), 100)
	path, want := "/echo", append(bytes.Clone(sent), "farewell"...)
	if n%4 == 0 {
		path, want = "/first", []byte("farewell")
	}
	conn, in, err := p.socket(path)
	if err != nil {
		return err
	}
	defer conn.Close()
	said := make(chan error, 1)
	go func() {
		_, err := conn.Write(sent[:len(sent)/2])
		meet()
		if err == nil {
			_, err = conn.Write(sent[len(sent)/2:])
		}
		if err == nil {
			err = conn.CloseWrite()
		}
		said <- err
	}()
	got, err := io.ReadAll(in)
	if err == nil {
		err = <-said
	}
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%d bytes came back, not the %d that were expected", len(got), len(want))
	}
	return err
}
