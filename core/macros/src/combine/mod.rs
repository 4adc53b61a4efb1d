//! `join!`, `select!` and `race!`: several futures, polled in the order in which they are written.
//!
//! They expand to plain `core`: pinned locals and one `poll_fn`. Locals are pinned in reverse, so that they are dropped
//! in the order in which they were written: what is cancelled by a drop is cancelled in an order that reads well.

mod join;
mod race;
mod select;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Expr, Ident, Result, Token};

pub(crate) use join::expand as join;
pub(crate) use race::expand as race;
pub(crate) use select::expand as select;

/// A list of expressions with commas between them.
struct Futures(Vec<Expr>);

impl Parse for Futures {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        Ok(Self(Punctuated::<Expr, Token![,]>::parse_terminated(input)?.into_iter().collect()))
    }
}

impl Futures {
    /// Parses the arguments of a macro that needs at least one future.
    fn parse_some(tokens: TokenStream, example: &str) -> Result<Vec<Expr>> {
        let Self(futures) = syn::parse2(tokens)?;
        if futures.is_empty() {
            return Err(Error::new(
                Span::call_site(),
                format!("there is nothing to wait for; write `{example}`"),
            ));
        }
        Ok(futures)
    }
}

/// Names for so many locals; nothing that the user wrote can see them.
fn names(prefix: &str, count: usize) -> Vec<Ident> {
    (0..count).map(|index| format_ident!("{prefix}_{index}", span = Span::mixed_site())).collect()
}

/// The expression as a future. What is no future is reported at the expression itself.
fn into_future(expression: &Expr) -> TokenStream {
    let span = expression.span();
    quote_spanned!(span=> ::core::future::IntoFuture::into_future(#expression))
}
