//! What stands around a client's calls: context that they take along, and interceptors.

use std::error::Error;
use std::sync::Arc;

use futures::future::join;
use tokio::sync::oneshot;

use super::Client;
use super::error::{QueryError, ResultError, SendError, StartError};
use crate::around::{Body, CallFault, ClientCall};
use crate::vocabulary::{Failure, Headers};

/// The error of a call, which may come from an interceptor.
pub(super) trait Intercepted: Error + Clone + Send + Sync + 'static {
    /// An interceptor has refused the call.
    fn intercepted(failure: Box<Failure>) -> Self;
}

impl Client {
    /// Makes a call with its headers, as far as interceptors let it.
    pub(super) async fn around<T: Send, E: Intercepted, F>(
        &self,
        mut call: ClientCall,
        act: impl FnOnce(Headers) -> F + Send,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>> + Send,
    {
        let headers = self.prepare(&mut call).map_err(E::intercepted)?;
        let around = &self.seams.around;
        if around.interceptors.is_empty() {
            return act(headers).await;
        }
        let mut result = None;
        let body: Body<'_, Result<(), CallFault>> = Box::pin(async {
            match result.insert(act(headers).await) {
                Ok(_) => Ok(()),
                Err(error) => Err(CallFault::Failed(Arc::new(error.clone()))),
            }
        });
        let ended = around.interceptors.iter().rfold(body, |body, interceptor| interceptor.call(&call, body));
        concluded(ended.await, result)
    }

    /// As [`around`](Self::around), for a call that must stay with its caller, as the caller's transaction does: what the
    /// interceptors are given stands for it, and waits while it is made.
    pub(super) async fn around_here<T, E: Intercepted, F>(
        &self,
        mut call: ClientCall,
        act: impl FnOnce(Headers) -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let headers = self.prepare(&mut call).map_err(E::intercepted)?;
        let around = &self.seams.around;
        if around.interceptors.is_empty() {
            return act(headers).await;
        }
        let (begin, begun) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let body: Body<'_, Result<(), CallFault>> = Box::pin(async move {
            // A caller that is gone makes no call.
            let _ = begin.send(());
            told.await.unwrap_or_else(|_| Err(CallFault::refused(Failure::new("Intercepted", UNMADE))))
        });
        let ended = around.interceptors.iter().rfold(body, |body, interceptor| interceptor.call(&call, body));
        let made = async {
            begun.await.ok()?;
            let result = act(headers).await;
            let fault = result.as_ref().err().map(|error| CallFault::Failed(Arc::new(error.clone())));
            // An interceptor that no longer waits for it has made up its mind.
            let _ = tell.send(fault.map_or(Ok(()), Err));
            Some(result)
        };
        let (ended, result) = join(ended, made).await;
        concluded(ended, result)
    }

    /// Gives a call its headers, as far as interceptors let it.
    fn prepare(&self, call: &mut ClientCall) -> Result<Headers, Box<Failure>> {
        let around = &self.seams.around;
        call.headers = self.headers.clone();
        around.propagators.iter().for_each(|propagator| propagator.inject(&mut call.headers));
        for interceptor in &around.interceptors {
            interceptor.prepare_call(call)?;
        }
        Ok(call.headers.clone())
    }
}

const UNMADE: &str = "an interceptor neither made the call nor refused it";

/// What the caller gets, by what the interceptors said and what the call gave.
fn concluded<T, E: Intercepted>(ended: Result<(), CallFault>, result: Option<Result<T, E>>) -> Result<T, E> {
    match (ended, result) {
        (Err(CallFault::Refused(failure)), _) => Err(E::intercepted(failure)),
        (_, Some(result)) => result,
        (_, None) => Err(E::intercepted(Box::new(Failure::new("Intercepted", UNMADE)))),
    }
}

macro_rules! intercepted {
    ($($error:ident),+) => {
        $(impl Intercepted for $error {
            fn intercepted(failure: Box<Failure>) -> Self {
                Self::Intercepted(failure)
            }
        })+
    };
}

intercepted!(StartError, SendError, QueryError, ResultError);
