//! `select!`: the first of several branches, and its handler.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Error, Expr, Pat, Result, Token};

use super::{into_future, names};

/// `pattern = future => handler`
struct Branch {
    pattern: Pat,
    future: Expr,
    handler: Expr,
}

struct Branches(Vec<Branch>);

/// Expands to an expression that awaits the first branch to be ready and evaluates its handler.
pub(crate) fn expand(tokens: TokenStream) -> TokenStream {
    match syn::parse2(tokens) {
        Ok(Branches(branches)) => selected(&branches),
        Err(error) => error.to_compile_error(),
    }
}

impl Parse for Branches {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut branches = Vec::new();
        while !input.is_empty() {
            let branch: Branch = input.parse()?;
            let needs_comma = !ends_in_block(&branch.handler);
            branches.push(branch);
            if input.is_empty() {
                break;
            }
            if needs_comma || input.peek(Token![,]) {
                input.parse::<Token![,]>()?;
            }
        }
        if branches.is_empty() {
            let reason = "there is nothing to wait for; write `select! { value = future => handler, ... }`";
            return Err(Error::new(Span::call_site(), reason));
        }
        Ok(Self(branches))
    }
}

impl Parse for Branch {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let pattern = Pat::parse_single(input)?;
        if input.peek(Token![=>]) {
            return Err(Error::new(
                pattern.span(),
                "a branch is `pattern = future => handler`; write `_ = ...` at least",
            ));
        }
        input.parse::<Token![=]>()?;
        let future: Expr = input.parse()?;
        if !input.peek(Token![=>]) {
            return Err(input
                .error("expected `=>` and the handler; a branch has no condition, test inside the handler"));
        }
        input.parse::<Token![=>]>()?;
        let handler = input.call(Expr::parse_with_earlier_boundary_rule)?;
        Ok(Self { pattern, future, handler })
    }
}

/// Whether a comma may be left out behind it, as behind the arm of a `match`.
fn ends_in_block(handler: &Expr) -> bool {
    matches!(
        handler,
        Expr::Block(_)
            | Expr::If(_)
            | Expr::Match(_)
            | Expr::Loop(_)
            | Expr::While(_)
            | Expr::ForLoop(_)
            | Expr::Unsafe(_)
    )
}

fn selected(branches: &[Branch]) -> TokenStream {
    let futures = branches.iter().map(|branch| into_future(&branch.future));
    let future = names("future", branches.len());
    let pinned = future.iter().rev();
    let won = names("Won", branches.len());
    let polls = won.iter().zip(&future).map(|(won, future)| {
        quote_spanned! {Span::mixed_site()=>
            if let ::core::task::Poll::Ready(output) = ::core::future::Future::poll(#future.as_mut(), context) {
                return ::core::task::Poll::Ready(RetellSelected::#won(output));
            }
        }
    });
    let handlers = won.iter().zip(branches).map(|(won, Branch { pattern, handler, .. })| {
        quote_spanned! {Span::mixed_site()=> RetellSelected::#won(output) => { let #pattern = output; #handler } }
    });
    // The inner `match` ends, and with it every future and temporary, before the handlers' begins.
    quote_spanned! {Span::mixed_site()=> {
        enum RetellSelected<#(#won),*> {
            #(#won(#won)),*
        }
        let selected = match (#(#futures,)*) {
            (#(#future,)*) => {
                #(let mut #pinned = ::core::pin::pin!(#pinned);)*
                ::core::future::poll_fn(|context| {
                    #(#polls)*
                    ::core::task::Poll::Pending
                }).await
            }
        };
        match selected {
            #(#handlers)*
        }
    }}
}
