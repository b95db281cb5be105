//! The reward schedule, and parameters that are refused.

use hashloom::Address;
use hashloom::ledger::{LedgerParameters, MAX_SUPPLY, ParametersError};
use rstest::rstest;

#[rstest]
#[case::genesis(0, 0)]
#[case::first(1, 50)]
#[case::last_of_the_first_era(4, 50)]
#[case::first_of_the_second_era(5, 25)]
#[case::rounded_down(9, 12)]
#[case::last_with_a_reward(24, 1)]
#[case::first_without(25, 0)]
#[case::era_63(4 * 63 + 1, 0)]
#[case::era_64(4 * 64 + 1, 0)]
#[case::last(u64::MAX, 0)]
fn reward_at_a_height(#[case] height: u64, #[case] expected: u64) {
    assert_eq!(LedgerParameters::new(50, 4).unwrap().reward(height), expected);
}

#[test]
fn the_schedule_mints_what_the_parameters_say() {
    let parameters = LedgerParameters::new(50, 4).unwrap();
    let minted: u128 = (0..1_000).map(|height| u128::from(parameters.reward(height))).sum();
    assert_eq!((minted, parameters.max_minted()), (4 * (50 + 25 + 12 + 6 + 3 + 1), minted));
}

#[test]
fn as_much_as_there_may_be_and_one_unit_more() {
    let opening = |units| LedgerParameters::new(0, 1).unwrap().with_opening([(Address::ZERO, units)]);
    assert_eq!(opening(MAX_SUPPLY).unwrap().max_minted(), u128::from(MAX_SUPPLY));
    let got = u128::from(MAX_SUPPLY) + 1;
    assert_eq!(opening(MAX_SUPPLY + 1), Err(ParametersError::Supply { got }));
    // A reward of one unit, for as many blocks.
    assert!(LedgerParameters::new(1, MAX_SUPPLY).is_ok());
    assert_eq!(LedgerParameters::new(1, MAX_SUPPLY + 1), Err(ParametersError::Supply { got }));
    let huge = LedgerParameters::new(u64::MAX, u64::MAX).unwrap_err();
    assert!(matches!(huge, ParametersError::Supply { .. }));
    assert_eq!(LedgerParameters::new(50, 0), Err(ParametersError::HalvingInterval));
}

#[test]
fn accounts_are_named_once_and_not_for_nothing() {
    let of = |byte| Address::from_bytes([byte; 20]);
    let opening = |accounts: &[(Address, u64)]| {
        LedgerParameters::new(0, 1).unwrap().with_opening(accounts.iter().copied())
    };
    assert_eq!(opening(&[(of(1), 0)]), Err(ParametersError::EmptyAccount { account: of(1) }));
    assert_eq!(
        opening(&[(of(2), 1), (of(1), 1), (of(2), 5)]),
        Err(ParametersError::RepeatedAccount { account: of(2) })
    );
    assert_eq!(opening(&[(of(2), 1), (of(1), 3)]).unwrap().opening(), [(of(1), 3), (of(2), 1)]);
}

#[test]
fn genesis_data_reads_back_and_nothing_else_does() {
    let of = |byte| Address::from_bytes([byte; 20]);
    let parameters = LedgerParameters::new(50, 4).unwrap().with_min_fee(2);
    let parameters = parameters.with_opening([(of(1), 3), (of(2), 1)]).unwrap();
    let data = parameters.to_genesis_data();
    assert_eq!(LedgerParameters::from_genesis_data(&data), Ok(parameters));
    let longer = [&*data, &[0]].concat();
    assert_eq!(LedgerParameters::from_genesis_data(&longer), Err(ParametersError::TrailingBytes { got: 1 }));
    for end in 0..data.len() {
        let error = LedgerParameters::from_genesis_data(&data[..end]).unwrap_err();
        assert!(matches!(error, ParametersError::Encoding { .. }), "{end}: {error}");
    }
    let swapped = postcard::to_stdvec(&(50_u64, 4_u64, 2_u64, vec![(of(2), 1_u64), (of(1), 3)])).unwrap();
    assert_eq!(LedgerParameters::from_genesis_data(&swapped), Err(ParametersError::Order));
    let idle = postcard::to_stdvec(&(50_u64, 0_u64, 2_u64, Vec::<(Address, u64)>::new())).unwrap();
    assert_eq!(LedgerParameters::from_genesis_data(&idle), Err(ParametersError::HalvingInterval));
}
