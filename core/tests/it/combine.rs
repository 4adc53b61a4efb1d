//! `join!`, `select!` and `race!`: orders of polling and of dropping, and what handlers may do.

use std::cell::RefCell;
use std::future::{Future, IntoFuture, pending, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::channel::mpsc;
use futures::executor::block_on;
use futures::{FutureExt, StreamExt};
use retell::{join, race, select};

/// What happened to some branches, in order.
#[derive(Default)]
struct Log(RefCell<Vec<String>>);

impl Log {
    /// A branch that is ready at its `polls`th poll.
    fn branch(&self, name: &'static str, polls: u32) -> Branch<'_> {
        Branch { log: self, name, polls }
    }

    fn say(&self, what: impl Into<String>) {
        self.0.borrow_mut().push(what.into());
    }

    fn told(&self) -> String {
        self.0.borrow().join(" ")
    }
}

struct Branch<'a> {
    log: &'a Log,
    name: &'static str,
    polls: u32,
}

impl Future for Branch<'_> {
    type Output = &'static str;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<&'static str> {
        self.log.say(self.name);
        self.polls = self.polls.checked_sub(1).expect("it is not polled after it was ready");
        if self.polls == 0 {
            return Poll::Ready(self.name);
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Branch<'_> {
    fn drop(&mut self) {
        self.log.say(format!("-{}", self.name));
    }
}

#[test]
fn join_polls_in_order_and_drops_each_when_it_is_done() {
    let log = Log::default();
    let outputs = block_on(async { join!(log.branch("a", 2), log.branch("b", 1), log.branch("c", 3)) });
    assert_eq!(outputs, ("a", "b", "c"));
    assert_eq!(log.told(), "a b -b c a -a c c -c");
}

#[test]
fn a_dropped_join_drops_its_branches_in_order() {
    let log = Log::default();
    let joined = async { join!(log.branch("a", 9), log.branch("b", 1), log.branch("c", 9)) };
    assert!(joined.now_or_never().is_none());
    assert_eq!(log.told(), "a b -b c -a -c");
}

#[test]
fn join_takes_whatever_becomes_a_future() {
    struct Call(u8);
    impl IntoFuture for Call {
        type Output = u8;
        type IntoFuture = std::future::Ready<u8>;
        fn into_future(self) -> Self::IntoFuture {
            ready(self.0)
        }
    }
    let outputs = block_on(async { join!(Call(1), async { "two" }, async { race!(Call(3)) }) });
    assert_eq!(outputs, (1, "two", 3));
    assert_eq!(
        block_on(async {
            select! { n = Call(4) => n }
        }),
        4
    );
    assert_eq!(block_on(async { join!(Call(1)) }), (1,));
}

#[test]
fn arguments_may_borrow_temporaries() {
    async fn length(text: &str) -> usize {
        text.len()
    }
    let text = || "four".to_owned();
    block_on(async {
        assert_eq!(join!(length(&text()), length(&text())), (4, 4));
        assert_eq!(race!(length(&text()), length(&text())), 4);
        assert_eq!(select! { n = length(&text()) => n + 1 }, 5);
    });
}

#[test]
fn the_first_declared_wins_when_two_are_ready() {
    let log = Log::default();
    let won = block_on(async {
        select! {
            a = log.branch("a", 2) => { log.say("handler"); a }
            b = log.branch("b", 2) => b,
        }
    });
    assert_eq!(won, "a");
    assert_eq!(log.told(), "a b a -a -b handler");
    assert_eq!(block_on(async { race!(log.branch("x", 3), log.branch("y", 2), log.branch("z", 2)) }), "y");
    assert_eq!(log.told(), "a b a -a -b handler x y z x y -x -y -z");
}

#[test]
fn branches_are_gone_before_the_handler_runs() {
    async fn count(n: &mut u32) {
        *n += 1;
        pending().await
    }
    let (mut lost, mut won) = (0, 0);
    block_on(async {
        select! {
            () = count(&mut lost) => (),
            () = async { won += 1 } => {
                lost += 10;
                won += 10;
            }
        }
    });
    assert_eq!((lost, won), (11, 11));
}

#[test]
fn handlers_stand_in_the_surrounding_function() {
    async fn parse(text: &str) -> Result<u32, std::num::ParseIntError> {
        let mut sum = 0;
        loop {
            select! {
                text = ready(text) => {
                    sum += text.parse::<u32>()?;
                    if sum < 10 {
                        continue;
                    }
                    if sum > 100 {
                        return Ok(0);
                    }
                    ready(()).await;
                    break;
                }
                () = pending() => if sum > 0 { break },
            }
        }
        Ok(sum)
    }
    assert_eq!(block_on(parse("4")), Ok(12));
    assert_eq!(block_on(parse("400")), Ok(0));
    assert!(block_on(parse("x")).is_err());
}

#[test]
fn a_message_for_a_loser_is_not_lost() {
    let (sender, mut receiver) = mpsc::unbounded();
    sender.unbounded_send(7).unwrap();
    block_on(async {
        let won = select! {
            () = ready(()) => None,
            message = receiver.next() => message,
        };
        assert_eq!(won, None);
        assert_eq!(receiver.next().await, Some(7));
    });
}

#[test]
fn patterns_take_outputs_apart() {
    struct Pair {
        left: u8,
        right: u8,
    }
    let difference = block_on(async {
        select! {
            Pair { left, mut right } = ready(Pair { left: 9, right: 4 }) => {
                right += 1;
                left - right
            },
            (_, _) = pending::<(u8, u8)>() => 0,
        }
    });
    assert_eq!(difference, 4);
}

#[test]
fn selects_nest() {
    let depth = block_on(async {
        select! {
            inner = async { select! { n = ready(1) => n + 1, () = pending() => 0 } } => select! {
                n = ready(inner) => n + 1,
                n = pending() => n,
            },
            never = pending() => never,
        }
    });
    assert_eq!(depth, 3);
}

#[test]
fn what_they_make_is_send() {
    fn check<F: Future + Send>(_: F) {}
    check(async {
        join!(ready(1), pending::<()>());
        race!(ready(1), pending());
        select! { _ = ready(1) => {} () = pending() => {} }
    });
}
