//! What may stand in the parentheses of the attribute.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{Error, Ident, LitInt, LitStr, Path, Result};

use super::Kind;

/// The longest name in bytes: that of every text ID of the engine.
const NAME_BYTES_MAX: usize = 255;

#[derive(Default)]
pub(super) struct Options {
    name: Option<LitStr>,
    pub(super) version: Option<LitInt>,
    /// Whether its outcome commits with the user's transaction.
    pub(super) transactional: bool,
    retell: Option<Path>,
}

impl Options {
    pub(super) fn parse(kind: Kind, tokens: TokenStream) -> Result<Self> {
        let mut options = Self::default();
        syn::meta::parser(|option| options.take(kind, &option)).parse2(tokens)?;
        Ok(options)
    }

    /// The name to register under: the option, or the function's own without `r#`.
    pub(super) fn name_or(&self, ident: &Ident) -> LitStr {
        self.name.clone().unwrap_or_else(|| LitStr::new(&ident.unraw().to_string(), ident.span()))
    }

    /// Where the engine's crate is.
    pub(super) fn retell(&self) -> TokenStream {
        self.retell.as_ref().map_or_else(|| quote!(::retell), |path| quote!(#path))
    }

    fn take(&mut self, kind: Kind, option: &ParseNestedMeta<'_>) -> Result<()> {
        let once = |given: bool| if given { Err(option.error("this option is given twice")) } else { Ok(()) };
        if option.path.is_ident("name") {
            once(self.name.is_some())?;
            self.name = Some(checked_name(option.value()?.parse()?)?);
        } else if option.path.is_ident("version") && kind == Kind::Workflow {
            once(self.version.is_some())?;
            self.version = Some(checked_version(option.value()?.parse()?)?);
        } else if option.path.is_ident("version") {
            return Err(option.error("an activity has no version; give the changed one another `name`"));
        } else if option.path.is_ident("transactional") && kind == Kind::Activity {
            once(self.transactional)?;
            self.transactional = true;
        } else if option.path.is_ident("transactional") {
            return Err(option.error("a workflow has no transaction; its activities do"));
        } else if option.path.is_ident("crate") {
            once(self.retell.is_some())?;
            self.retell = Some(option.value()?.call(Path::parse_mod_style)?);
        } else {
            let known = match kind {
                Kind::Workflow => "`name`, `version` and `crate`",
                Kind::Activity => "`name`, `transactional` and `crate`",
            };
            return Err(option.error(format!("unknown option; {} has {known}", kind.noun())));
        }
        Ok(())
    }
}

fn checked_name(name: LitStr) -> Result<LitStr> {
    let text = name.value();
    if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        let reason = format!("a name has 1 to {NAME_BYTES_MAX} bytes and no control character");
        return Err(Error::new(name.span(), reason));
    }
    Ok(name)
}

fn checked_version(version: LitInt) -> Result<LitInt> {
    match version.base10_parse::<u32>() {
        Ok(1..) => Ok(version),
        _ => Err(Error::new(version.span(), "a version is a whole number from 1 to 4294967295")),
    }
}
