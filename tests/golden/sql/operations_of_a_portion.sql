SELECT name, kind, count(*), count(*) FILTER (failed) FROM s_1_2_a.spans WHERE arrival < ? AND service_name IN (?, ?) AND service_name = ? AND start_time_ns >= ? AND start_time_ns < ? AND hash(name, kind) % ?::UBIGINT = ?::UBIGINT GROUP BY name, kind LIMIT ?
-- 77
-- 'checkout'
-- 'payment'
-- 'checkout'
-- 1000000000
-- 2000000000
-- 4
-- 3
-- 1000
