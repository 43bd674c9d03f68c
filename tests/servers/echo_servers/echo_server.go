// SPDX-License-Identifier: GPL-2.0-or-later

// Echo_server sends back what it gets and closes after the client: echo_server ADDRESS PORT
package main

import (
	"io"
	"log"
	"net"
	"os"
)

func serve(connection net.Conn) {
	defer connection.Close()
	// A plain reader and writer, so that no byte is spliced past the program.
	io.Copy(struct{ io.Writer }{connection}, struct{ io.Reader }{connection})
}

func main() {
	listener, err := net.Listen("tcp", net.JoinHostPort(os.Args[1], os.Args[2]))
	if err != nil {
		log.Fatal(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(connection)
	}
}
