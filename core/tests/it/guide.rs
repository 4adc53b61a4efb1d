//! The guide's pages: that each is a module, whose examples are run, and stands in the index.

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_page_is_a_module_and_stands_in_the_index() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let (modules, index) = (read("src/guide.rs"), read("docs/guide/index.md"));
    let pages: BTreeSet<String> = std::fs::read_dir(root.join("docs/guide"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|page| page != "index")
        .collect();
    assert!(pages.len() > 20, "{pages:?}");
    for page in pages {
        let module = format!("#[doc = include_str!(\"../docs/guide/{page}.md\")]\npub mod {page} {{}}");
        assert!(modules.contains(&module), "{page}.md is no module of src/guide.rs");
        let links = [format!("[{page}]"), format!("({page})")];
        assert!(links.iter().any(|link| index.contains(link)), "{page}.md does not stand in index.md");
    }
}
