package http1_test

import (
	"net/http"
	"testing"

	"github.com/stranglerfig/toolkit/strangler-proxy/http1"
)

func BenchmarkParseRequest(b *testing.B) {
	head := []byte(realisticHead)
	var r http1.Request
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset()
		if done, err := r.Parse(head); !done || err != nil {
			b.Fatal(done, err)
		}
	}
}

// The same by net/http, to compare.
func BenchmarkParseRequestNetHTTP(b *testing.B) {
	head := []byte(realisticHead)
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := http.ReadRequest(read(head).Reader); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseAndRewriteRequest(b *testing.B) {
	head, added := []byte(realisticHead), []byte("X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: shop.example.com\r\nX-Forwarded-Proto: http\r\n")
	var r http1.Request
	var out []byte
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset()
		if done, err := r.Parse(head); !done || err != nil {
			b.Fatal(done, err)
		}
		out = r.AppendHead(out[:0], http1.FromRequest, added)
	}
}

func BenchmarkParseResponse(b *testing.B) {
	head := []byte(ok + "Date: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 1024\r\nCache-Control: no-store\r\n" +
		"X-Content-Type-Options: nosniff\r\nConnection: keep-alive\r\n\r\n")
	var r http1.Response
	b.SetBytes(int64(len(head)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(false)
		if done, err := r.Parse(head); !done || err != nil {
			b.Fatal(done, err)
		}
	}
}

func BenchmarkChunks(b *testing.B) {
	body := []byte(repeat("1000\r\n"+repeat("x", 4096)+"\r\n", 16) + "0\r\n\r\n")
	var r http1.Request
	if done, err := r.Parse([]byte(post + "Transfer-Encoding: chunked\r\n\r\n")); !done || err != nil {
		b.Fatal(done, err)
	}
	var frame http1.Body
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r.BeginBody(&frame, false)
		for in := body; !frame.Done(); {
			_, n, err := frame.Step(in)
			if n == 0 || err != nil {
				b.Fatal(n, err)
			}
			in = in[n:]
		}
	}
}
