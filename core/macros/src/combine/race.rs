//! `race!`: the first, of whichever branch.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::Expr;
use syn::spanned::Spanned;

use super::{Futures, into_future, names};

/// Expands to an expression that awaits the first future to be ready and yields its output.
pub(crate) fn expand(tokens: TokenStream) -> TokenStream {
    match Futures::parse_some(tokens, "race!(first, second)") {
        Ok(futures) => raced(&futures),
        Err(error) => error.to_compile_error(),
    }
}

fn raced(expressions: &[Expr]) -> TokenStream {
    let futures = expressions.iter().map(into_future);
    let future = names("future", expressions.len());
    let pinned = future.iter().rev();
    let polls = expressions.iter().zip(&future).map(|(expression, future)| {
        // An output of another type than the first one's is reported at the branch that has it.
        let output = quote_spanned!(expression.span().resolved_at(Span::mixed_site())=> output);
        quote_spanned! {Span::mixed_site()=>
            if let ::core::task::Poll::Ready(#output) = ::core::future::Future::poll(#future.as_mut(), context) {
                return ::core::task::Poll::Ready(#output);
            }
        }
    });
    quote_spanned! {Span::mixed_site()=>
        match (#(#futures,)*) {
            (#(#future,)*) => {
                #(let mut #pinned = ::core::pin::pin!(#pinned);)*
                ::core::future::poll_fn(|context| {
                    #(#polls)*
                    ::core::task::Poll::Pending
                }).await
            }
        }
    }
}
