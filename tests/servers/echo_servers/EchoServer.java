// SPDX-License-Identifier: GPL-2.0-or-later
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;

/** Sends back what it gets and closes after the client: java EchoServer.java ADDRESS PORT */
public class EchoServer {
	private static void serve(Socket socket) {
		try (socket) {
			socket.getInputStream().transferTo(socket.getOutputStream());
		} catch (IOException error) {
			// The client has reset the connection; nothing is left to do.
		}
	}

	public static void main(String[] arguments) throws IOException {
		InetAddress address = InetAddress.getByName(arguments[0]);
		try (ServerSocket listener = new ServerSocket(Integer.parseInt(arguments[1]), 50, address)) {
			while (true) {
				Socket socket = listener.accept();
				new Thread(() -> serve(socket)).start();
			}
		}
	}
}
