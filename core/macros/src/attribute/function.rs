//! The function under the attribute, and what must be true of it.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Block, Error, FnArg, GenericArgument, Item, ItemFn, PathArguments, PathSegment, Result,
    ReturnType, Safety, Signature, Token, Type, Visibility,
};

use super::Kind;

/// A function that can be what its attribute says.
pub(super) struct Function {
    pub(super) attributes: Vec<Attribute>,
    pub(super) visibility: Visibility,
    pub(super) signature: Signature,
    pub(super) block: Box<Block>,
    /// The type of the argument; `()` without one.
    pub(super) input: TokenStream,
    /// What its result holds.
    pub(super) output: Type,
}

impl Function {
    pub(super) fn parse(kind: Kind, tokens: TokenStream) -> Result<Self> {
        let item: Item = syn::parse2(tokens)?;
        let Item::Fn(ItemFn { attrs, vis, sig, block, .. }) = item else {
            let reason = format!("{} is made of a function; this is none", kind.noun());
            return Err(Error::new_spanned(item, reason));
        };
        check_form(kind, &sig)?;
        let (context, input) = arguments(kind, &sig)?;
        check_context(kind, context)?;
        let input = match input {
            Some(input) => checked_input(kind, input)?.to_token_stream(),
            None => quote!(()),
        };
        let output = output(kind, &sig)?;
        Ok(Self { attributes: attrs, visibility: vis, signature: sig, block, input, output })
    }
}

/// What stands before the arguments.
fn check_form(kind: Kind, signature: &Signature) -> Result<()> {
    let noun = kind.noun();
    let refuse =
        |tokens: &dyn ToTokens, reason: String| Err(Error::new_spanned(tokens.to_token_stream(), reason));
    if kind == Kind::Workflow && signature.asyncness.is_none() {
        return refuse(&signature.fn_token, "a workflow is an `async fn`; add `async`".to_owned());
    }
    if let Some(constness) = &signature.constness {
        return refuse(constness, format!("{noun} is not `const`"));
    }
    if let Safety::Unsafe(keyword) = &signature.safety {
        return refuse(keyword, format!("{noun} is called by the engine and is never `unsafe`"));
    }
    if let Some(abi) = &signature.abi {
        return refuse(abi, format!("{noun} is an ordinary Rust function"));
    }
    if !signature.generics.params.is_empty() {
        let reason =
            format!("{noun} has one name and one code: it has no generic parameters; use concrete types");
        return refuse(&signature.generics, reason);
    }
    if let Some(clause) = &signature.generics.where_clause {
        return refuse(clause, format!("{noun} has no generic parameters and no `where`"));
    }
    Ok(())
}

/// The types of the context and of the input.
fn arguments(kind: Kind, signature: &Signature) -> Result<(&Type, Option<&Type>)> {
    let (noun, context) = (kind.noun(), kind.context());
    let mut types = Vec::new();
    for argument in &signature.inputs {
        match argument {
            FnArg::Typed(argument) => types.push(&*argument.ty),
            FnArg::Receiver(receiver) => {
                let elsewhere = match kind {
                    Kind::Workflow => "pass what it needs as its input",
                    Kind::Activity => "take what it shares from `cx.state()`",
                };
                let reason = format!("{noun} is a free function without `self`; {elsewhere}");
                return Err(Error::new_spanned(receiver, reason));
            }
        }
    }
    match types[..] {
        [] => {
            let reason = format!("the context is missing: the first argument is `cx: {context}`");
            Err(Error::new(signature.paren_token.span.join(), reason))
        }
        [first] => Ok((first, None)),
        [first, input] => Ok((first, Some(input))),
        [_, _, ..] => {
            let inputs: Punctuated<&FnArg, Token![,]> = signature.inputs.iter().skip(1).collect();
            let shown = types[1..].iter().map(|ty| shown(ty)).collect::<Vec<_>>().join(", ");
            let reason = format!(
                "{noun} takes one input beside its context; use a struct, or a tuple of type `({shown})`"
            );
            Err(Error::new_spanned(inputs, reason))
        }
    }
}

fn check_context(kind: Kind, ty: &Type) -> Result<()> {
    let context = kind.context();
    if last_segment(ty).is_some_and(|segment| segment.ident == context) {
        return Ok(());
    }
    let reason = match ty {
        Type::Reference(_) => format!("the context is taken by value: `cx: {context}`"),
        _ => format!("the first argument is the context, by its own name: `cx: {context}`"),
    };
    Err(Error::new_spanned(ty, reason))
}

fn checked_input(kind: Kind, ty: &Type) -> Result<&Type> {
    let noun = kind.noun();
    let reason = match ty {
        Type::Reference(borrowed) => {
            let owned = match shown(&borrowed.elem).as_str() {
                "str" => "String".to_owned(),
                other => other.to_owned(),
            };
            format!("{noun} owns its input, which comes out of the history; use `{owned}`")
        }
        Type::ImplTrait(_) => format!("{noun} has one input type; name it"),
        _ => return Ok(ty),
    };
    Err(Error::new_spanned(ty, reason))
}

/// What the result holds: the first type argument of a type whose name ends in `Result`.
fn output(kind: Kind, signature: &Signature) -> Result<Type> {
    let reason = format!("{} returns `{}`", kind.noun(), kind.result());
    let ReturnType::Type(_, ty) = &signature.output else {
        return Err(Error::new(signature.paren_token.span.close(), reason));
    };
    let held =
        last_segment(ty).filter(|segment| segment.ident.to_string().ends_with("Result")).and_then(held);
    held.cloned().ok_or_else(|| Error::new(ty.span(), reason))
}

fn held(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

/// A type as a person would write it: without the blanks that tokens are printed with.
fn shown(ty: &Type) -> String {
    let text = ty.to_token_stream().to_string();
    let text = [" <", "< ", " >", ":: ", " ::", "& "]
        .iter()
        .fold(text, |text, blank| text.replace(blank, blank.trim()));
    text.replace(" ,", ",")
}
