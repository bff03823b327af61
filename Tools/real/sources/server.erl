%% An HTTP server with a process for each connection; the counter is a process they all ask.
-module(server).
-export([start/1]).

start([Port]) ->
    {ok, Listen} = gen_tcp:listen(list_to_integer(atom_to_list(Port)),
        [binary, {ip, {127, 0, 0, 1}}, {active, false}, {reuseaddr, true}, {backlog, 128}]),
    register(counter, spawn(fun() -> count(0) end)),
    accept(Listen).

accept(Listen) ->
    {ok, Socket} = gen_tcp:accept(Listen),
    Pid = spawn(fun() -> receive go -> serve(Socket) end end),
    gen_tcp:controlling_process(Socket, Pid),
    Pid ! go,
    accept(Listen).

serve(Socket) ->
    gen_tcp:recv(Socket, 0, 5000),
    counter ! {add, self()},
    receive {count, _} -> ok end,
    gen_tcp:send(Socket, <<"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n">>),
    gen_tcp:close(Socket).

count(N) -> receive {add, From} -> From ! {count, N + 1}, count(N + 1) end.
