//! What real servers make of commits whose request or reply is lost.

use std::time::Duration;

use retell_servers::{Endpoint, Kind, Proxy, shared};

const SOON: Duration = Duration::from_secs(30);

/// Loses the reply to one increment and the request of another. Both look alike to the client; one counts.
fn check(server: &Endpoint) {
    let database = server.fresh_database().unwrap();
    let proxy = Proxy::before(server.address().unwrap()).unwrap();
    let client = database.at(proxy.address());
    let (count, increment, marks) = match server.kind() {
        Kind::Redis => ("get count", "incr count", b"incr".as_slice()),
        _ => (
            "select value from count",
            "begin; update count set value = value + 1; commit",
            b"commit".as_slice(),
        ),
    };
    match server.kind() {
        Kind::Redis => drop(client.query("set count 0").unwrap()),
        _ => {
            client.query("create table count (value int)").unwrap();
            client.query("insert into count values (0)").unwrap();
        }
    }
    let cut = proxy.cut_after(marks);
    assert!(!client.query(increment).is_ok_and(|answer| answer == "1"), "the reply was not lost");
    assert!(cut.wait(SOON));
    assert_eq!(database.query(count).unwrap(), "1", "{}: the request did not count", server.kind());
    let cut = proxy.cut_before(marks);
    assert!(!client.query(increment).is_ok_and(|answer| answer == "2"), "the request was not lost");
    assert!(cut.wait(SOON));
    assert_eq!(database.query(count).unwrap(), "1", "{}: the request came through", server.kind());
    assert_eq!(client.query(count).unwrap(), "1");
}

#[test]
fn a_commit_counts_when_only_its_reply_is_lost() {
    for kind in Kind::ALL {
        match shared(kind) {
            Ok(server) => check(server),
            Err(error) => assert!(error.is_missing() && kind == Kind::Mysql, "{error}"),
        }
    }
}
