# An HTTP server with eight threads that take connections from a queue; each request meets a mutex.
require 'socket'

connections = SizedQueue.new(64)
mutex = Mutex.new
count = 0
8.times do
  Thread.new do
    loop do
      socket = connections.pop
      nil until socket.gets.to_s.strip.empty?
      mutex.synchronize { count += 1 }
      socket.write("HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")
      socket.close
    rescue SystemCallError, IOError
      nil
    end
  end
end
server = TCPServer.new('127.0.0.1', ARGV[0].to_i)
loop { connections << server.accept }
