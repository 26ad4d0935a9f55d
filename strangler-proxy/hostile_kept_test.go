package strangler_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// An upstream that says more than it was asked, once its answer was read and its
// connection kept, must not answer the next request with that.
func TestAnswersThatNobodyAskedFor(t *testing.T) {
	t.Parallel()
	const stray = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
	for name, more := range map[string]string{
		"a second answer": stray, "a farewell": "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"a line end": "\r\n", "an interim answer": "HTTP/1.1 103 Early Hints\r\n\r\n", "half of one": stray[:20],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := make(chan struct{}, 100)
			m := newRaw(t, func(conn net.Conn, in *bufio.Reader, head string) {
				for {
					_, path, _ := strings.Cut(head, " ")
					path, _, _ = strings.Cut(path, " ")
					fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(path), path)
					go func() {
						time.Sleep(2 * time.Millisecond) // once the proxy has kept the connection
						_, _ = io.WriteString(conn, more)
						said <- struct{}{}
					}()
					var err error
					if head, err = readHead(in); err != nil {
						return
					}
				}
			})
			r := start(t, "monolith: "+m.url()+"\n")
			for n := range 20 {
				method := []string{"GET", "POST"}[n/2%2]
				path := fmt.Sprintf("/%d", n)
				got, err := r.try(method, path, nil)
				if err != nil {
					t.Fatalf("%s: %v", path, err)
				}
				if got.StatusCode != 200 || got.text != path {
					t.Fatalf("%s %s: %d %q", method, path, got.StatusCode, got.text)
				}
				<-said
			}
		})
	}
}

// Many clients, an upstream that now and then answers twice: everybody gets the answer
// to what they have asked, or an error.
func TestNobodyGetsTheAnswerOfAnother(t *testing.T) {
	t.Parallel()
	m := newRaw(t, func(conn net.Conn, in *bufio.Reader, head string) {
		for n := 0; ; n++ {
			_, path, _ := strings.Cut(head, " ")
			path, _, _ = strings.Cut(path, " ")
			answer := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(path), path)
			if n%3 == 2 {
				answer += answer
			}
			if _, err := io.WriteString(conn, answer); err != nil {
				return
			}
			var err error
			if head, err = readHead(in); err != nil {
				return
			}
		}
	})
	r := start(t, "monolith: "+m.url()+"\n")
	var clients sync.WaitGroup
	for worker := range 8 {
		clients.Go(func() {
			for n := range 100 {
				path := fmt.Sprintf("/%d/%d", worker, n)
				if got, err := r.try("GET", path, nil); err != nil || got.StatusCode == 200 && got.text != path {
					t.Errorf("%s: %q %v", path, got.text, err)
				}
			}
		})
	}
	clients.Wait()
}
