//! The paths of this crate that a file of Rust mentions, without those in code for tests.

use std::collections::BTreeSet;
use std::slice::Iter;
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// A path, from the root of the crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) path: Vec<String>,
    /// Whether it is a `pub use`.
    pub(super) is_reexport: bool,
}

/// The paths in the source of a module: of `use` items, and those that begin with `crate`, `self` or `super`.
pub(super) fn imports(module: &[String], source: &str) -> Vec<Import> {
    let mut found = Vec::new();
    read(module, &tokens(source), &mut found);
    found
}

/// The children of a module that are compiled for tests only.
pub(super) fn test_modules(source: &str) -> BTreeSet<String> {
    let tokens = tokens(source);
    let mut found = BTreeSet::new();
    let mut at = 0;
    while at < tokens.len() {
        let Some(end) = test_item(&tokens[at..]) else {
            at += 1;
            continue;
        };
        let item = &tokens[at..at + end];
        found.extend(item.windows(2).filter(|pair| is(&pair[0], "mod")).map(|pair| pair[1].to_string()));
        at += end;
    }
    found
}

fn tokens(source: &str) -> Vec<TokenTree> {
    TokenStream::from_str(source).unwrap().into_iter().collect()
}

fn is(token: &TokenTree, text: &str) -> bool {
    !matches!(token, TokenTree::Group(_)) && token.to_string() == text
}

fn group(token: Option<&TokenTree>, delimiter: Delimiter) -> Option<Vec<TokenTree>> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == delimiter => {
            Some(group.stream().into_iter().collect())
        }
        _ => None,
    }
}

fn read(module: &[String], tokens: &[TokenTree], found: &mut Vec<Import>) {
    let declared = tokens.windows(2).filter(|pair| is(&pair[0], "mod"));
    let children: BTreeSet<_> = declared.map(|pair| pair[1].to_string()).collect();
    let mut at = 0;
    let mut is_reexport = false;
    while at < tokens.len() {
        if let Some(end) = test_item(&tokens[at..]) {
            at += end;
            continue;
        }
        let token = &tokens[at];
        let next = tokens.get(at + 1);
        let begins_a_path = at < 2 || !is(&tokens[at - 1], ":") || !is(&tokens[at - 2], ":");
        let was_reexport = core::mem::take(&mut is_reexport);
        at += 1;
        if is(token, "pub") {
            is_reexport = true;
            // `pub(in path)` imports nothing.
            at += usize::from(group(next, Delimiter::Parenthesis).is_some());
        } else if is(token, "use") {
            let mut paths = Vec::new();
            let end = tokens[at..].iter().position(|token| is(token, ";")).unwrap_or(0);
            tree(&mut tokens[at..at + end].iter(), &[], &mut paths);
            at += end;
            let paths = paths.iter().filter_map(|path| resolve(module, &children, path));
            found.extend(paths.map(|path| Import { path, is_reexport: was_reexport }));
        } else if is(token, "mod") && group(tokens.get(at + 1), Delimiter::Brace).is_some() {
            let inner = group(tokens.get(at + 1), Delimiter::Brace).unwrap_or_default();
            let name = next.map(ToString::to_string);
            let module: Vec<_> = module.iter().cloned().chain(name).collect();
            read(&module, &inner, found);
            at += 2;
        } else if begins_a_path
            && ["crate", "self", "super"].iter().any(|word| is(token, word))
            && next.is_some_and(|token| is(token, ":"))
        {
            let mut paths = Vec::new();
            tree(&mut tokens[at - 1..].iter(), &[], &mut paths);
            let paths = paths.iter().filter_map(|path| resolve(module, &children, path));
            found.extend(paths.map(|path| Import { path, is_reexport: false }));
        } else if let TokenTree::Group(group) = token {
            read(module, &group.stream().into_iter().collect::<Vec<_>>(), found);
        }
    }
}

/// Reads a path, or a tree of paths in braces.
fn tree(tokens: &mut Iter<'_, TokenTree>, prefix: &[String], paths: &mut Vec<Vec<String>>) {
    let mut path = prefix.to_vec();
    loop {
        match tokens.as_slice().first() {
            Some(TokenTree::Ident(name)) => path.push(name.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<_> = group.stream().into_iter().collect();
                for part in inner.split(|token| is(token, ",")).filter(|part| !part.is_empty()) {
                    tree(&mut part.iter(), &path, paths);
                }
                return;
            }
            Some(star) if is(star, "*") => path.push("*".to_owned()),
            _ => break,
        }
        let rest = tokens.as_slice();
        if !(rest.get(1).is_some_and(|token| is(token, ":"))
            && rest.get(2).is_some_and(|token| is(token, ":")))
        {
            break;
        }
        *tokens = rest[3..].iter();
    }
    paths.push(path);
}

/// The path from the root of the crate; `None` for a path of another crate.
fn resolve(module: &[String], children: &BTreeSet<String>, path: &[String]) -> Option<Vec<String>> {
    let mut resolved = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "self" | "super" => module.to_vec(),
        child if children.contains(child) => [module, &[child.to_owned()]].concat(),
        _ => return None,
    };
    let rest = usize::from(path[0] != "super");
    for segment in &path[rest..] {
        match segment.as_str() {
            "super" => drop(resolved.pop()),
            "self" => {}
            _ => resolved.push(segment.clone()),
        }
    }
    (!resolved.is_empty()).then_some(resolved)
}

/// If these tokens begin with an attribute that compiles an item for tests only: the length of the item, with
/// its attributes.
fn test_item(tokens: &[TokenTree]) -> Option<usize> {
    let mut at = 0;
    let mut is_test = false;
    while tokens.get(at).is_some_and(|token| is(token, "#")) {
        let attribute = group(tokens.get(at + 1), Delimiter::Bracket)?;
        is_test |= is(attribute.first()?, "cfg") && mentions_test(attribute.get(1)?);
        at += 2;
    }
    if !is_test {
        return None;
    }
    let is_use = tokens.get(at).is_some_and(|token| is(token, "use"));
    let ends = |token: &TokenTree| {
        let is_body = group(Some(token), Delimiter::Brace).is_some();
        is(token, ";") || !is_use && (is_body || is(token, ","))
    };
    let end = tokens[at..].iter().position(ends);
    Some(end.map_or(tokens.len(), |end| at + end + 1))
}

/// Whether a condition of `cfg` names `test`, other than in `not(..)`.
fn mentions_test(condition: &TokenTree) -> bool {
    let Some(parts) = group(Some(condition), Delimiter::Parenthesis) else { return is(condition, "test") };
    let mut before = None;
    parts.iter().any(|part| {
        let is_negated = before.replace(part).is_some_and(|before| is(before, "not"));
        !is_negated && mentions_test(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_path_is_read() {
        let source = r#"
            //! use crate::comment::X;
            mod child;
            #[cfg(test)]
            mod tests;
            use std::fmt;
            use crate::{
                a::{self, b::C as D},
                e::*,
            };
            pub(in crate::hidden) use child::Child;
            use super::super::{f, self as up};
            /* use crate::comment::Y; */
            const TEXT: &str = "use crate::text::Z;";
            pub fn g<T: crate::h::I>(value: &'static T) -> Option<super::J> {
                let k = crate::l::<u8>(value, 'x');
                matches!(k, $crate::m::N { .. })
            }
            mod inner { use super::o; use super::super::p; }
            enum P {
                #[cfg(test)]
                Q(crate::not_q::X),
                R(crate::r::X),
            }
            #[cfg(all(feature = "x", any(test, unix)))]
            #[allow(dead_code)]
            fn only_for_tests() { crate::not_s::s() }
            #[cfg(not(test))]
            fn t() { crate::t::t() }
            #[cfg(test)]
            mod more { use crate::not_u; }
        "#;
        let module = ["v", "w"].map(str::to_owned);
        let found: Vec<_> = imports(&module, source)
            .into_iter()
            .map(|import| {
                format!("{}{}", if import.is_reexport { "pub " } else { "" }, import.path.join("::"))
            })
            .collect();
        let expected = [
            "a",
            "a::b::C",
            "e::*",
            "pub v::w::child::Child",
            "f",
            "h::I",
            "v::J",
            "l",
            "m::N",
            "v::w::o",
            "v::p",
            "r::X",
            "t::t",
        ];
        assert_eq!(found, expected);
        assert_eq!(test_modules(source), ["more", "tests"].map(str::to_owned).into());
    }
}
