//! IDX files (the format of MNIST and its descendants): images and labels of unsigned bytes.

/// An IDX file's contents: its dimensions and bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Idx {
    pub dims: Vec<usize>,
    pub bytes: Vec<u8>,
}

/// Reads an uncompressed IDX file of unsigned bytes.
///
/// # Errors
/// A sentence that says what is wrong with the file.
pub fn parse_idx(file: &[u8]) -> Result<Idx, String> {
    let [0, 0, kind, rank, rest @ ..] = file else {
        return Err("it does not start as an IDX file does (two zero bytes, a type, a rank)".into());
    };
    if *kind != 8 {
        return Err(format!(
            "it holds elements of type 0x{kind:02x}; only unsigned bytes (0x08) do"
        ));
    }
    let rank = usize::from(*rank);
    let Some((head, bytes)) = rest.split_at_checked(4 * rank) else {
        return Err("it ends inside its header".into());
    };
    let dim = |d: &[u8]| u32::from_be_bytes([d[0], d[1], d[2], d[3]]) as usize;
    let dims: Vec<usize> = head.chunks_exact(4).map(dim).collect();
    let announced = dims.iter().try_fold(1usize, |product, dim| product.checked_mul(*dim));
    if announced != Some(bytes.len()) {
        return Err(format!("it announces {dims:?} and holds {} bytes", bytes.len()));
    }
    Ok(Idx { dims, bytes: bytes.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idx_file_is_read_and_a_cut_one_is_refused() {
        let file = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6];
        let idx = parse_idx(&file).expect("well formed");
        assert_eq!((idx.dims, idx.bytes), (vec![2, 3], vec![1, 2, 3, 4, 5, 6]));
        for cut in 0..file.len() {
            assert!(parse_idx(&file[..cut]).is_err(), "cut after {cut} bytes");
        }
    }
}
