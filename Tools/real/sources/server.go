// An HTTP server whose goroutines meet at a mutex and a channel on every request.
package main

import (
	"fmt"
	"net/http"
	"os"
	"sync"
)

func main() {
	var mutex sync.RWMutex
	count := 0
	drain := make(chan int, 64)
	go func() {
		for range drain {
		}
	}()
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		count++
		n := count
		mutex.Unlock()
		drain <- n
		fmt.Fprintln(w, "hello")
	})
	if err := http.ListenAndServe("127.0.0.1:"+os.Args[1], nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
