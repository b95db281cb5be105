//! The test vectors that the implementations of Certificate Transparency share.

use rstest::rstest;

use super::*;

const INPUTS: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn leaves() -> Vec<Hash> {
    INPUTS.map(|input| leaf_hash(&hex::decode(input).unwrap())).to_vec()
}

fn hashes(hex: &[&str]) -> Vec<Hash> {
    hex.iter().map(|hex| hex.parse().unwrap()).collect()
}

#[test]
fn roots() {
    let leaves = leaves();
    let tree: HistoryTree = leaves.iter().copied().collect();
    for (size, expected) in hashes(&ROOTS).into_iter().enumerate() {
        assert_eq!(root(&leaves[..size]), expected, "{size} leaves");
        assert_eq!(tree.root_at(size as u64), Some(expected), "{size} leaves");
    }
}

#[rstest]
#[case(0, 1, &[])]
#[case(0, 8, &[
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
])]
#[case(5, 8, &[
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
])]
#[case(2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"])]
#[case(1, 5, &[
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
])]
fn inclusion(#[case] index: usize, #[case] size: usize, #[case] path: &[&str]) {
    let leaves = leaves();
    let proof = InclusionProof::new(&leaves[..size], index).unwrap();
    assert_eq!(proof.path, hashes(path));
    assert_eq!(proof.verify(&leaves[index], &ROOTS[size].parse().unwrap()), Ok(()));
}

#[rstest]
#[case(1, 1, &[])]
#[case(1, 8, &[
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
])]
#[case(6, 8, &[
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
])]
#[case(2, 5, &[
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
])]
fn consistency(#[case] old_size: usize, #[case] new_size: usize, #[case] path: &[&str]) {
    let tree: HistoryTree = leaves().into_iter().collect();
    let proof = tree.consistency_proof(old_size as u64, new_size as u64).unwrap();
    assert_eq!(proof.path, hashes(path));
    let [old_root, new_root] = [ROOTS[old_size], ROOTS[new_size]].map(|hex| hex.parse().unwrap());
    assert_eq!(proof.verify(&old_root, &new_root), Ok(()));
}
