//! An HTTP server on tokio's worker threads: every request meets a std::sync::Mutex, a std::sync::RwLock and a channel.
//!
//! With `across` as its second argument a task holds the std::sync::Mutex over an await and leaves the worker: the other
//! workers then wait for a mutex whose holder is a suspended task. That is the mistake its documentation warns of.
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[allow(clippy::await_holding_lock)]
async fn hold_across_await(count: &Mutex<u64>) {
    let mut guard = count.lock().unwrap();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    *guard += 1;
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let count = Arc::new(Mutex::new(0u64));
    let settings = Arc::new(RwLock::new(String::from("hello\n")));
    runtime.block_on(async {
        let listener = TcpListener::bind(format!("127.0.0.1:{}", arguments[1])).await.unwrap();
        if arguments.get(2).map(String::as_str) == Some("across") {
            // Only a future that stays on one thread may hold this guard, so it gets a thread's own set of tasks.
            let count = count.clone();
            std::thread::spawn(move || {
                let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                own.block_on(hold_across_await(&count));
            });
        }
        let (sender, mut receiver) = tokio::sync::mpsc::channel::<u64>(64);
        tokio::spawn(async move { while receiver.recv().await.is_some() {} });
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (count, settings, sender) = (count.clone(), settings.clone(), sender.clone());
            tokio::spawn(async move {
                let mut request = [0u8; 4096];
                let _ = socket.read(&mut request).await;
                let n = {
                    let mut guard = count.lock().unwrap();
                    *guard += 1;
                    *guard
                };
                let _ = sender.send(n).await;
                let body = settings.read().unwrap().clone();
                let answer = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.len(), body);
                let _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
}
