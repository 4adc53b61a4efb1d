//! The few parts of a URL that are needed to call a client program or to go through a proxy.

use std::net::SocketAddr;

/// `scheme://user:password@host:port/path?query`, of which only the host must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    scheme: &'a str,
    /// With its `@`, still encoded.
    login: &'a str,
    host: &'a str,
    port: Option<u16>,
    path: &'a str,
    /// With its `?`.
    query: &'a str,
}

impl<'a> Parts<'a> {
    pub(crate) fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (rest, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (login, server) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let (host, port) = match server.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port.parse().ok()?)),
            _ => (server, None),
        };
        (!host.is_empty()).then_some(Self {
            scheme,
            login,
            host,
            port,
            path: path.trim_start_matches('/'),
            query,
        })
    }

    pub(crate) fn host(&self) -> &'a str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    pub(crate) fn port(&self) -> Option<u16> {
        self.port
    }

    pub(crate) fn user(&self) -> String {
        decoded(self.login.trim_end_matches('@').split(':').next().unwrap_or_default())
    }

    pub(crate) fn password(&self) -> Option<String> {
        Some(decoded(self.login.strip_suffix('@')?.split_once(':')?.1))
    }

    pub(crate) fn path(&self) -> &'a str {
        self.path
    }

    /// The same URL for another database.
    pub(crate) fn with_path(&self, path: &str) -> String {
        let Self { scheme, login, host, query, .. } = self;
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{scheme}://{login}{host}{port}/{path}{query}")
    }

    /// The same URL with one parameter, `name=value`, more.
    pub(crate) fn with_parameter(&self, parameter: &str) -> String {
        let begin = if self.query.is_empty() { '?' } else { '&' };
        format!("{}{begin}{parameter}", self.with_path(self.path))
    }

    /// The same URL at another address.
    pub(crate) fn at(&self, address: SocketAddr) -> String {
        let Self { scheme, login, path, query, .. } = self;
        format!("{scheme}://{login}{address}/{path}{query}")
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code =
            tail.get(..2).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        match code {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_url_are_found_and_put_together_again() {
        let url = "mysql://an%40na:a:b%25@db.example:3307/orders?ssl-mode=disabled";
        let parts = Parts::of(url).unwrap();
        assert_eq!((parts.user(), parts.password().unwrap()), ("an@na".to_owned(), "a:b%".to_owned()));
        assert_eq!((parts.host(), parts.port(), parts.path()), ("db.example", Some(3307), "orders"));
        assert_eq!(parts.with_path("orders"), url);
        assert_eq!(parts.with_parameter("a=b"), format!("{url}&a=b"));
        let through = parts.at(SocketAddr::from(([127, 0, 0, 1], 9)));
        assert_eq!(through, "mysql://an%40na:a:b%25@127.0.0.1:9/orders?ssl-mode=disabled");
    }

    #[test]
    fn a_url_may_hold_a_host_alone() {
        let parts = Parts::of("redis://[::1]").unwrap();
        assert_eq!((parts.host(), parts.port(), parts.password()), ("::1", None, None));
        assert_eq!(parts.with_path("3"), "redis://[::1]/3");
        assert!(Parts::of("localhost:1").is_none());
        assert!(Parts::of("redis://").is_none());
    }
}
