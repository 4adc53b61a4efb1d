//! `join!`: all of them.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;

use super::{Futures, into_future, names};

/// Expands to an expression that awaits all futures and yields the tuple of their outputs.
pub(crate) fn expand(tokens: TokenStream) -> TokenStream {
    match Futures::parse_some(tokens, "join!(first, second)") {
        Ok(futures) => joined(&futures.iter().map(into_future).collect::<Vec<_>>()),
        Err(error) => error.to_compile_error(),
    }
}

fn joined(futures: &[TokenStream]) -> TokenStream {
    let (future, output) = (names("future", futures.len()), names("output", futures.len()));
    let pinned = future.iter().rev();
    // An output is there exactly when its future is gone; the last `match` is where the compiler sees that all are.
    quote_spanned! {Span::mixed_site()=>
        match (#(#futures,)*) {
            (#(#future,)*) => {
                #(let mut #pinned = ::core::pin::pin!(::core::option::Option::Some(#pinned));)*
                #(let mut #output = ::core::option::Option::None;)*
                ::core::future::poll_fn(move |context| {
                    #(if let ::core::option::Option::Some(future) = #future.as_mut().as_pin_mut() {
                        if let ::core::task::Poll::Ready(output) = ::core::future::Future::poll(future, context) {
                            #future.set(::core::option::Option::None);
                            #output = ::core::option::Option::Some(output);
                        }
                    })*
                    if false #(|| #output.is_none())* {
                        return ::core::task::Poll::Pending;
                    }
                    match (#(#output.take(),)*) {
                        (#(::core::option::Option::Some(#output),)*) => ::core::task::Poll::Ready((#(#output,)*)),
                        _ => ::core::task::Poll::Pending,
                    }
                }).await
            }
        }
    }
}
