//! `#[workflow]` and `#[activity]`: options and function in, a type, its trait implementation and its name out.

mod function;
mod options;

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{Attribute, ImplItemFn, Signature, Visibility, parse_quote};

use function::Function;
use options::Options;

/// Which of the two attributes was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Workflow,
    Activity,
}

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Self::Workflow => "a workflow",
            Self::Activity => "an activity",
        }
    }

    fn context(self) -> &'static str {
        match self {
            Self::Workflow => "WorkflowContext",
            Self::Activity => "ActivityContext",
        }
    }

    fn result(self) -> &'static str {
        match self {
            Self::Workflow => "WorkflowResult<T>",
            Self::Activity => "Result<T, ActivityError>",
        }
    }
}

/// Expands the attribute, or says what is wrong with its use.
pub(crate) fn expand(kind: Kind, options: TokenStream, function: TokenStream) -> TokenStream {
    let parsed = Options::parse(kind, options)
        .and_then(|options| Ok((options, Function::parse(kind, function.clone())?)))
        .map(|(options, function)| implement(kind, &options, function));
    parsed.unwrap_or_else(|error| {
        let error = error.to_compile_error();
        // The function stays, so that the rest of it is still checked and an editor can still complete it.
        quote!(#error #function)
    })
}

fn implement(kind: Kind, options: &Options, function: Function) -> TokenStream {
    let Function { attributes, visibility, signature, block, input, output } = function;
    let ident = signature.ident.clone();
    let name = options.name_or(&ident);
    let retell = options.retell();
    let blocking = signature.asyncness.is_none();
    let implemented = match kind {
        Kind::Workflow => quote!(#retell::workflow::Workflow),
        Kind::Activity if blocking => quote!(#retell::activity::BlockingActivity),
        Kind::Activity => quote!(#retell::activity::Activity),
    };
    let version = options.version.as_ref().map(|version| quote!(const VERSION: u32 = #version;));
    let transactional = options.transactional.then(|| {
        quote!(
            const TRANSACTIONAL: bool = true;
        )
    });
    let definition = definition(&visibility, &ident, &attributes);
    let run = run(signature, &attributes, &block);
    let (conditions, lints) = (named(&attributes, &["cfg"]), named(&attributes, &LINTS));
    // Errors about the future as a whole, such as that it is not `Send`, point at the function's name. The name mentions
    // the function of that name: where only the type is used, it would be called dead code.
    quote_spanned! {ident.span()=>
        #definition

        #(#conditions)*
        #(#lints)*
        impl #implemented for #ident {
            type Input = #input;
            type Output = #output;
            const NAME: &'static str = {
                _ = #ident;
                #name
            };
            #version
            #transactional

            #run
        }
    }
}

const LINTS: [&str; 4] = ["allow", "warn", "deny", "forbid"];
const OF_THE_STRUCT: [&str; 4] = ["doc", "deprecated", "cfg", "must_use"];

/// The type, and the function by which values name it. A unit struct would do without one, but no variable could have its
/// name: it is a pattern.
fn definition(visibility: &Visibility, ident: &syn::Ident, attributes: &[Attribute]) -> TokenStream {
    let kept: Vec<_> = named(attributes, &OF_THE_STRUCT).chain(named(attributes, &LINTS)).collect();
    let conditions = named(attributes, &["cfg", "deprecated"]).chain(named(attributes, &LINTS));
    quote_spanned! {ident.span()=>
        #(#kept)*
        #[allow(non_camel_case_types)]
        #[derive(Clone, Copy, Debug)]
        #visibility struct #ident {}

        #(#conditions)*
        #[doc(hidden)]
        #visibility const fn #ident() -> #ident {
            #ident {}
        }
    }
}

/// The user's function as the trait's method: its tokens keep their places in the user's source.
fn run(mut signature: Signature, attributes: &[Attribute], block: &syn::Block) -> ImplItemFn {
    let span = signature.ident.span();
    signature.ident = format_ident!("run", span = span);
    if signature.inputs.len() == 1 {
        signature.inputs.push(parse_quote!(_: ()));
    }
    let elsewhere = [&OF_THE_STRUCT[..], &LINTS[..]].concat();
    let kept =
        attributes.iter().filter(|attribute| !elsewhere.iter().any(|name| attribute.path().is_ident(name)));
    parse_quote!(#(#kept)* #signature #block)
}

fn named<'a>(attributes: &'a [Attribute], names: &'a [&str]) -> impl Iterator<Item = &'a Attribute> {
    attributes.iter().filter(|attribute| names.iter().any(|name| attribute.path().is_ident(name)))
}
