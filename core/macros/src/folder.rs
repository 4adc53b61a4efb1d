//! `replay_folder!`: a test for each recorded history of a folder, and one for those that came after the build.
//!
//! The folder is read when the macro is expanded. Each file is included, so that a change to it builds the tests anew;
//! cargo does not see that one was added, therefore the last test looks again when it runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Ident, LitStr, Result, Token, Type, bracketed};

/// `<path of retell-tester>; "folder", [workflow, ...]`
struct Arguments {
    tester: syn::Path,
    folder: LitStr,
    workflows: Vec<Type>,
}

/// Expands to the tests, or says what is wrong with the folder.
pub(crate) fn expand(tokens: TokenStream) -> TokenStream {
    let expanded = syn::parse2::<Arguments>(tokens).and_then(|arguments| {
        let root = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let root = root.ok_or_else(|| Error::new(arguments.folder.span(), "cargo must build this"))?;
        let files = histories(&root, &arguments.folder)?;
        Ok(tests(&arguments, &files))
    });
    expanded.unwrap_or_else(|error| error.to_compile_error())
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        const EXAMPLE: &str =
            "write `replay_folder!(\"tests/histories\", [first_workflow, second_workflow])`";
        let tester = input.call(syn::Path::parse_mod_style)?;
        input.parse::<Token![;]>()?;
        let folder: LitStr = input.parse().map_err(|error| Error::new(error.span(), EXAMPLE))?;
        input.parse::<Token![,]>().map_err(|error| Error::new(error.span(), EXAMPLE))?;
        let listed;
        bracketed!(listed in input);
        let workflows: Vec<_> =
            Punctuated::<Type, Token![,]>::parse_terminated(&listed)?.into_iter().collect();
        if workflows.is_empty() {
            return Err(Error::new(listed.span(), format!("no workflow is listed; {EXAMPLE}")));
        }
        input.parse::<Option<Token![,]>>()?;
        Ok(Self { tester, folder, workflows })
    }
}

/// The names of the folder's `.txt` files, in order.
fn histories(root: &Path, folder: &LitStr) -> Result<Vec<String>> {
    let shown = folder.value();
    let error = |reason: String| Error::new(folder.span(), reason);
    let entries = std::fs::read_dir(root.join(&shown))
        .map_err(|cause| error(format!("the folder {shown:?} of this package cannot be read: {cause}")))?;
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|cause| error(format!("the folder {shown:?} cannot be read: {cause}")))?;
        if Path::new(&entry.file_name()).extension().is_some_and(|extension| extension == "txt") {
            let name = entry.file_name().into_string();
            files.push(name.map_err(|name| error(format!("{name:?} in {shown:?} is no readable name")))?);
        }
    }
    if files.is_empty() {
        return Err(error(format!(
            "the folder {shown:?} holds no recorded history (`*.txt`), so that nothing would be tested"
        )));
    }
    files.sort();
    Ok(files)
}

fn tests(arguments: &Arguments, files: &[String]) -> TokenStream {
    let Arguments { tester, folder, workflows } = arguments;
    let listed = workflows
        .iter()
        .map(|workflow| quote_spanned!(workflow.span()=> #tester::recorded::folder::definition::<#workflow>));
    let listed = quote!(&[#(#listed),*]);
    let prefix = last_name(&folder.value());
    let span = folder.span();
    let tests = names(&prefix, files).into_iter().zip(files).map(|(name, file)| {
        let name = Ident::new(&name, span);
        quote! {
            #[test]
            fn #name() {
                let text = ::core::include_str!(::core::concat!(
                    ::core::env!("CARGO_MANIFEST_DIR"), "/", #folder, "/", #file
                ));
                #tester::recorded::folder::replay_included(#folder, #file, text, #listed);
            }
        }
    });
    let added = format_ident!("{prefix}_added_since_the_build", span = span);
    quote! {
        #(#tests)*

        #[test]
        fn #added() {
            let root = ::core::env!("CARGO_MANIFEST_DIR");
            #tester::recorded::folder::replay_added(root, #folder, &[#(#files),*], #listed);
        }
    }
}

/// The folder's own name, as the beginning of the tests' names.
fn last_name(folder: &str) -> String {
    let last = folder.split(['/', '\\']).rfind(|part| part.chars().any(char::is_alphanumeric));
    identifier(last.unwrap_or("histories"))
}

/// A name for each file's test, no two the same.
fn names(prefix: &str, files: &[String]) -> Vec<String> {
    let mut given = BTreeSet::from([format!("{prefix}_added_since_the_build")]);
    let name = |file: &String| {
        let stem = file.strip_suffix(".txt").unwrap_or(file);
        let wanted = format!("{prefix}_{}", identifier(stem));
        let mut name = wanted.clone();
        let mut number = 2;
        while !given.insert(name.clone()) {
            name = format!("{wanted}_{number}");
            number += 1;
        }
        name
    };
    files.iter().map(name).collect()
}

/// A text as part of an identifier.
fn identifier(text: &str) -> String {
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '_' }
    };
    let name: String = text.chars().map(plain).collect();
    if name.starts_with(|first: char| first.is_ascii_digit()) { format!("_{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expands for this package; the error's text is part of what comes out.
    fn check(tokens: TokenStream, part: &str) {
        let expanded = expand(tokens).to_string();
        assert!(expanded.contains(part), "{expanded} does not say {part:?}");
    }

    #[test]
    fn a_folder_that_is_missing_or_holds_nothing_does_not_compile() {
        check(quote!(retell_tester; "no/such/folder", [a]), "of this package cannot be read");
        check(quote!(retell_tester; "src/combine", [a]), "holds no recorded history");
        check(quote!(retell_tester; "src", []), "no workflow is listed");
        check(quote!(retell_tester; a, [b]), "write `replay_folder!");
    }

    #[test]
    fn each_file_gets_a_test_of_its_own_name() {
        let files =
            ["2 orders.txt", "Order.txt", "order.txt", "added_since_the_build.txt"].map(str::to_owned);
        assert_eq!(
            names(&last_name("tests/histories/"), &files),
            [
                "histories__2_orders",
                "histories_order",
                "histories_order_2",
                "histories_added_since_the_build_2"
            ]
        );
        assert_eq!(last_name("../../my-runs"), "my_runs");
    }
}
