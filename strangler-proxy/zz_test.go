package strangler_test
import ("testing";"runtime";"net";"time";"fmt";"strings";"bufio";"io")
func TestIdleStack(t *testing.T){
	m := newRawLoop(t, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n"+strings.Repeat("x", 1024))
	r := start(t, fmt.Sprintf("monolith: %s\ndefaults: { shadow: { percent: 0 } }\nservices:\n  s: %s\nroutes:\n  r: { match: /s/**, to: s, stage: live }\n", m, m))
	var a,b runtime.MemStats
	runtime.GC(); runtime.ReadMemStats(&a)
	var keep []net.Conn
	for range 1000 { c,err:=net.Dial("tcp", r.proxy.Addr().String()); if err!=nil {t.Fatal(err)}
		fmt.Fprintf(c,"GET /s/x HTTP/1.1\r\nHost: h\r\n\r\n"); in:=bufio.NewReader(c); for { l,_:=in.ReadString('\n'); if l=="\r\n" {break} }; io.CopyN(io.Discard,in,1024); keep=append(keep,c)}
	time.Sleep(300*time.Millisecond); runtime.ReadMemStats(&b)
	t.Log("stack", (b.StackInuse-a.StackInuse)/1000, "heap inuse", (b.HeapInuse-a.HeapInuse)/1000, "alloc", (b.HeapAlloc-a.HeapAlloc)/1000, "sys", (b.Sys-a.Sys)/1000)
	runtime.GC(); runtime.ReadMemStats(&b)
	t.Log("stack", (b.StackInuse-a.StackInuse)/1000, "heap", (b.HeapInuse-a.HeapInuse)/1000,(b.HeapAlloc-a.HeapAlloc)/1000)
	_=keep
}
