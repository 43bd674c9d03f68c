// SPDX-License-Identifier: GPL-2.0-or-later
// Sends back what it gets and closes after the client: node echo_server.js ADDRESS PORT
const net = require("net");
const [address, port] = process.argv.slice(2);
net.createServer({ allowHalfOpen: true }, (socket) => {
	socket.on("error", () => socket.destroy());
	socket.pipe(socket);
}).listen(Number(port), address);
