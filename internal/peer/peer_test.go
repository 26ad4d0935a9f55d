package peer_test

import (
	"testing"

	"github.com/stranglerfig/toolkit/internal/peer"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	for address, ok := range map[string]bool{
		"http://127.0.0.1:9000": true, "https://shop.example/": true,
		"": false, "127.0.0.1:9000": false, "ftp://host": false, "http://": false, "file:///etc": false,
	} {
		if _, err := peer.Address("monolith", address); (err == nil) != ok {
			t.Errorf("%q: %v", address, err)
		}
	}
}
