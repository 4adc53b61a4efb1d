//! The proxy before a server that answers each line with the same line.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use retell_servers::Proxy;

const SOON: Duration = Duration::from_secs(20);

/// Answers lines, and remembers them in the order in which they came.
struct Echo {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let all_heard = Arc::clone(&heard);
        thread::spawn(move || {
            for client in listener.incoming() {
                let heard = Arc::clone(&all_heard);
                thread::spawn(move || answer(client.unwrap(), &heard));
            }
        });
        Self { address, heard }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

fn answer(client: TcpStream, heard: &Mutex<Vec<String>>) {
    let mut answers = client.try_clone().unwrap();
    for line in BufReader::new(client).lines() {
        let Ok(line) = line else { return };
        heard.lock().unwrap().push(line.clone());
        if answers.write_all(format!("{line}\n").as_bytes()).is_err() {
            return;
        }
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn of(proxy: &Proxy) -> Self {
        let stream = TcpStream::connect(proxy.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        Self(BufReader::new(stream))
    }

    fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// The next line; `None` when the connection is closed, however abruptly.
    fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(line.trim_end().to_owned()),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn ask(&mut self, line: &str) -> Option<String> {
        self.say(&format!("{line}\n"));
        self.hear()
    }
}

fn scene() -> (Echo, Proxy) {
    let echo = Echo::start();
    let proxy = Proxy::before(echo.address).unwrap();
    (echo, proxy)
}

#[test]
fn a_lost_reply_leaves_its_request_done() {
    let (echo, proxy) = scene();
    let mut client = Client::of(&proxy);
    assert_eq!(client.ask("one").as_deref(), Some("one"));
    let cut = proxy.cut_after_request(2);
    assert_eq!(client.ask("two").as_deref(), Some("two"));
    assert!(!cut.is_made());
    assert_eq!(client.ask("three"), None);
    assert!(cut.wait(SOON));
    assert_eq!(echo.heard(), ["one", "two", "three"]);
    assert_eq!(Client::of(&proxy).ask("four").as_deref(), Some("four"));
}

#[test]
fn a_lost_request_is_never_heard() {
    let (echo, proxy) = scene();
    let mut client = Client::of(&proxy);
    let cut = proxy.cut_before_request(2);
    assert_eq!(client.ask("one").as_deref(), Some("one"));
    assert_eq!(client.ask("two"), None);
    assert!(cut.wait(SOON));
    assert_eq!(echo.heard(), ["one"]);
}

#[test]
fn requests_of_all_connections_are_counted() {
    let (echo, proxy) = scene();
    let (mut one, mut other) = (Client::of(&proxy), Client::of(&proxy));
    let cut = proxy.cut_after_request(3);
    assert_eq!(one.ask("a").as_deref(), Some("a"));
    assert_eq!(other.ask("b").as_deref(), Some("b"));
    assert_eq!(one.ask("c"), None);
    assert!(cut.wait(SOON));
    assert_eq!(other.ask("d").as_deref(), Some("d"));
    assert_eq!(echo.heard(), ["a", "b", "c", "d"]);
}

#[test]
fn a_long_request_is_one_and_passes_whole() {
    let (echo, proxy) = scene();
    let mut client = Client::of(&proxy);
    let long = "x".repeat(1 << 20);
    let cut = proxy.cut_after_request(2);
    assert_eq!(client.ask(&long).as_deref(), Some(long.as_str()));
    assert_eq!(client.ask(&long), None);
    assert!(cut.wait(SOON));
    assert_eq!(echo.heard(), [long.as_str(), long.as_str()]);
}

#[test]
fn a_request_is_found_by_its_bytes_across_packets() {
    let (echo, proxy) = scene();
    let (lost, done) = (proxy.cut_before(b"rollback"), proxy.cut_after(b"commit"));
    let mut client = Client::of(&proxy);
    assert_eq!(client.ask("insert").as_deref(), Some("insert"));
    client.say("com");
    client.say("mit\n");
    assert_eq!(client.hear(), None);
    assert!(done.wait(SOON) && !lost.is_made());
    assert_eq!(Client::of(&proxy).ask("rollback"), None);
    assert!(lost.wait(SOON));
    assert_eq!(echo.heard(), ["insert", "commit"]);
}

#[test]
fn a_cut_that_is_called_off_is_not_made() {
    let (_echo, proxy) = scene();
    let cut = proxy.cut_after_request(1);
    cut.call_off();
    assert_eq!(Client::of(&proxy).ask("one").as_deref(), Some("one"));
    assert!(!cut.is_made());
}

#[test]
fn held_traffic_arrives_when_it_is_released() {
    let (echo, proxy) = scene();
    let mut client = Client::of(&proxy);
    assert_eq!(client.ask("one").as_deref(), Some("one"));
    proxy.hold();
    let mut newcomer = Client::of(&proxy);
    newcomer.say("three\n");
    client.say("two\n");
    client.0.get_mut().set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let silence = client.0.get_mut().read(&mut [0]).unwrap_err();
    assert!(matches!(silence.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    assert_eq!(echo.heard(), ["one"]);
    client.0.get_mut().set_read_timeout(Some(SOON)).unwrap();
    proxy.release();
    assert_eq!(client.hear().as_deref(), Some("two"));
    assert_eq!(newcomer.hear().as_deref(), Some("three"));
}

#[test]
fn held_connections_can_be_cut() {
    let (echo, proxy) = scene();
    let mut client = Client::of(&proxy);
    assert_eq!(client.ask("one").as_deref(), Some("one"));
    proxy.hold();
    client.say("two\n");
    proxy.cut_all();
    assert_eq!(client.hear(), None);
    proxy.release();
    assert_eq!(Client::of(&proxy).ask("three").as_deref(), Some("three"));
    assert_eq!(echo.heard(), ["one", "three"]);
}

#[test]
fn refused_connections_close_and_open_ones_stay() {
    let (_echo, proxy) = scene();
    let mut client = Client::of(&proxy);
    assert_eq!(client.ask("one").as_deref(), Some("one"));
    proxy.refuse();
    assert_eq!(Client::of(&proxy).hear(), None);
    assert_eq!(client.ask("two").as_deref(), Some("two"));
    proxy.release();
    assert_eq!(Client::of(&proxy).ask("three").as_deref(), Some("three"));
}

#[test]
fn delayed_traffic_is_late_both_ways() {
    let (_echo, proxy) = scene();
    proxy.delay(Duration::from_millis(30));
    let began = Instant::now();
    assert_eq!(Client::of(&proxy).ask("one").as_deref(), Some("one"));
    assert!(began.elapsed() >= Duration::from_millis(60));
}

#[test]
fn the_end_of_either_side_reaches_the_other() {
    let (echo, proxy) = scene();
    let mut client = Client::of(&proxy);
    client.say("one\n");
    client.0.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.hear().as_deref(), Some("one"));
    assert_eq!(client.hear(), None);
    let mut client = Client::of(&proxy);
    assert_eq!(client.ask("two").as_deref(), Some("two"));
    drop(proxy);
    assert_eq!(client.hear(), None);
    assert_eq!(echo.heard(), ["one", "two"]);
}

#[test]
fn nobody_behind_the_proxy_closes_the_connection() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = Proxy::before(free).unwrap();
    assert_eq!(Client::of(&proxy).hear(), None);
}
