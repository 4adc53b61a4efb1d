//! What becomes of servers and of what they hold.

use std::io::{BufRead, BufReader, ErrorKind};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use retell_servers::{Endpoint, Kind, RedisCluster, Server, shared};

/// MySQL is the one that a machine may be unable to have.
fn start(kind: Kind) -> Option<Server> {
    match Server::start(kind) {
        Err(error) if error.is_missing() && kind == Kind::Mysql => {
            eprintln!("not tested: {error}");
            None
        }
        started => Some(started.unwrap()),
    }
}

fn insert(server: &Endpoint, value: u32) -> String {
    match server.kind() {
        Kind::Redis => format!("set value:{value} {value}"),
        _ => format!("insert into kept values ({value})"),
    }
}

fn count(server: &Endpoint) -> String {
    match server.kind() {
        Kind::Redis => server.query("eval return#redis.call('keys','value:*') 0").unwrap(),
        _ => server.query("select count(*) from kept").unwrap(),
    }
}

fn keeps_what_it_acknowledged(kind: Kind) {
    let Some(server) = start(kind) else { return };
    let database = &server.fresh_database().unwrap();
    if kind != Kind::Redis {
        database.query("create table kept (value int primary key)").unwrap();
    }
    for value in 0..3 {
        database.query(&insert(database, value)).unwrap();
        server.kill();
        assert!(TcpStream::connect(server.address()).is_err(), "it still listens");
        assert!(database.query(&insert(database, 9)).is_err());
        server.restart().unwrap();
    }
    assert_eq!(count(database), "3");
    server.restart().unwrap();
    server.stop();
    server.restart().unwrap();
    assert_eq!(count(database), "3");
}

#[test]
fn postgres_keeps_what_it_acknowledged() {
    keeps_what_it_acknowledged(Kind::Postgres);
}

#[test]
fn mariadb_keeps_what_it_acknowledged() {
    keeps_what_it_acknowledged(Kind::Mariadb);
}

#[test]
fn mysql_keeps_what_it_acknowledged() {
    keeps_what_it_acknowledged(Kind::Mysql);
}

#[test]
fn redis_keeps_what_it_acknowledged() {
    keeps_what_it_acknowledged(Kind::Redis);
}

#[test]
fn settings_are_durable() {
    let ask = |kind, question: &str| shared(kind).unwrap().query(question).unwrap();
    assert_eq!(
        ask(Kind::Postgres, "select current_setting('fsync'), current_setting('synchronous_commit')"),
        "on\ton"
    );
    let of_mysql = "select @@innodb_flush_log_at_trx_commit, @@innodb_doublewrite";
    assert!(ask(Kind::Mariadb, of_mysql).starts_with("1\t1"));
    assert!(shared(Kind::Mariadb).unwrap().version().unwrap().contains("MariaDB"));
    match shared(Kind::Mysql) {
        Ok(mysql) => {
            assert!(mysql.query(of_mysql).unwrap().starts_with("1\t"));
            assert!(!mysql.version().unwrap().contains("MariaDB"));
        }
        Err(error) => assert!(error.is_missing(), "{error}"),
    }
    assert!(ask(Kind::Redis, "config get appendfsync").ends_with("always"));
    assert!(ask(Kind::Redis, "config get appendonly").ends_with("yes"));
}

#[test]
fn every_test_has_a_database_of_its_own() {
    for kind in Kind::ALL {
        let Ok(server) = shared(kind) else { continue };
        let (one, other) = (server.fresh_database().unwrap(), server.fresh_database().unwrap());
        let write = if kind == Kind::Redis { "set mine 1" } else { "create table mine (value int)" };
        one.query(write).unwrap();
        other.query(write).unwrap();
        let there = if kind == Kind::Redis { "exists mine" } else { "select count(*) + 1 from mine" };
        assert_eq!(one.query(there).unwrap(), "1");
        assert_ne!(server.fresh_database().unwrap().query(there).ok().as_deref(), Some("1"));
    }
}

#[test]
fn a_paused_server_keeps_its_connections_waiting() {
    let server = Server::start(Kind::Postgres).unwrap();
    let database = server.endpoint().clone();
    let (answered, answer) = mpsc::channel();
    let sleeper = thread::spawn(move || answered.send(database.query("select 'slept' from pg_sleep(0.2)")));
    let is_sleeping = "select count(*) from pg_stat_activity where state = 'active' and query like '%slept%' and pid <> pg_backend_pid()";
    while server.endpoint().query(is_sleeping).unwrap() != "1" {}
    server.pause();
    assert!(answer.recv_timeout(Duration::from_millis(500)).is_err(), "a connection's own process went on");
    server.resume();
    assert_eq!(answer.recv().unwrap().unwrap(), "slept");
    sleeper.join().unwrap().unwrap();
    server.pause();
    server.kill();
    server.restart().unwrap();
    assert_eq!(server.endpoint().query("select 1").unwrap(), "1");
}

/// Where its data lies, by its own word.
fn data_folder(server: &Endpoint) -> String {
    match server.kind() {
        Kind::Postgres => server.query("show data_directory").unwrap(),
        Kind::Redis => server.query("config get dir").unwrap().lines().last().unwrap().to_owned(),
        _ => server.query("select @@datadir").unwrap(),
    }
}

#[test]
fn a_dropped_server_leaves_nothing() {
    let server = Server::start(Kind::Redis).unwrap();
    let (folder, address) = (data_folder(server.endpoint()), server.address());
    assert!(Path::new(&folder).exists());
    drop(server);
    assert!(!Path::new(&folder).exists());
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn the_servers_of_a_killed_process_go_with_it() {
    let mut serve = Command::new(env!("CARGO_BIN_EXE_serve"));
    let mut owner =
        serve.args(["postgres", "redis"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    let mut left = Vec::new();
    for kind in [Kind::Postgres, Kind::Redis] {
        let line = lines.next().unwrap().unwrap();
        let (variable, url) = line.split_once('=').unwrap();
        assert_eq!(variable, kind.variable());
        let server = Endpoint::new(kind, url);
        left.push((data_folder(&server), server.address().unwrap()));
    }
    let is_there = |folder: &str, address| {
        // A server that was only stopped may not answer, but nobody refuses in its place.
        let connected = TcpStream::connect_timeout(&address, Duration::from_secs(1));
        let is_refused = connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused);
        Path::new(folder).exists() || !is_refused
    };
    assert!(left.iter().all(|(folder, address)| is_there(folder, *address)), "{left:?}");
    owner.kill().unwrap();
    owner.wait().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while left.iter().any(|(folder, address)| is_there(folder, *address)) {
        assert!(Instant::now() < until, "{left:?} are still there");
        thread::yield_now();
    }
}

#[test]
fn a_cluster_is_whole_again_after_the_death_of_a_master() {
    let cluster = RedisCluster::start().unwrap();
    let [first, second, _] = cluster.masters() else { panic!("three masters") };
    let key = |endpoint: &Endpoint, key: &str| endpoint.query(&format!("set {key} 1"));
    // `b` and `a` lie in slots 3300 and 15495.
    assert_eq!(key(first.endpoint(), "b").unwrap(), "OK");
    assert!(key(second.endpoint(), "b").unwrap_or_else(|error| error.to_string()).contains("MOVED 3300"));
    first.kill();
    first.restart().unwrap();
    cluster.await_whole().unwrap();
    assert_eq!(first.endpoint().query("get b").unwrap(), "1");
    assert_eq!(cluster.urls().len(), 3);
}
