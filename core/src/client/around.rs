//! What stands around a client's calls: context that they take along, and interceptors.

use std::error::Error;
use std::sync::Arc;

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
        let around = &self.seams.around;
        call.headers = self.headers.clone();
        around.propagators.iter().for_each(|propagator| propagator.inject(&mut call.headers));
        for interceptor in &around.interceptors {
            interceptor.prepare_call(&mut call).map_err(E::intercepted)?;
        }
        let headers = call.headers.clone();
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
        match (ended.await, result) {
            (Err(CallFault::Refused(failure)), _) => Err(E::intercepted(failure)),
            (_, Some(result)) => result,
            (_, None) => {
                let message = "an interceptor neither made the call nor refused it";
                Err(E::intercepted(Box::new(Failure::new("Intercepted", message))))
            }
        }
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
