-- The audit log says what was done, and nothing of what was only asked for.

create or replace function platform.end_agreement(actor text, of_brand bigint, of_dealer bigint)
returns boolean
language sql security definer set search_path = platform, pg_temp as $$
    with ended as (
        update platform.agreement a set ended_at = clock_timestamp()
        where a.brand_id = of_brand and a.dealer_id = of_dealer and a.ended_at is null
        returning true
    )
    select true from ended cross join lateral platform.note(
        actor, 'end_agreement', of_brand || ':' || of_dealer
    )
$$;

create or replace function platform.revoke_api_key(actor text, of_brand bigint, key_id bigint)
returns boolean
language sql security definer set search_path = platform, pg_temp as $$
    with revoked as (
        update platform.api_key k set revoked_at = clock_timestamp()
        where k.id = key_id and k.brand_id = of_brand and k.revoked_at is null
        returning true
    )
    select true from revoked
    cross join lateral platform.note(actor, 'revoke_api_key', key_id::text)
$$;

create or replace function platform.disable_user(actor text, of_user bigint) returns boolean
language sql security definer set search_path = platform, pg_temp as $$
    with disabled as (
        update platform.app_user u set disabled_at = clock_timestamp()
        where u.id = of_user and u.disabled_at is null
        returning true
    )
    select true from disabled
    cross join lateral platform.note(actor, 'disable_user', of_user::text)
$$;
