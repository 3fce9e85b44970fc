SELECT service_name, name, kind, CASE WHEN duration_ns > 0 THEN ceil(ln(duration_ns) / 0.020000666706669435)::INTEGER END AS bucket, count(*), count(*) FILTER (failed) FROM s_1_2_a.spans WHERE arrival < ? AND service_name IN (?, ?) AND service_name = ? AND start_time_ns >= ? AND start_time_ns < ? AND greatest(duration_ns, 0) >= ? - start_time_ns AND greatest(duration_ns, 0) < ? - start_time_ns GROUP BY service_name, name, kind, bucket LIMIT ?
-- 77
-- 'checkout'
-- 'payment'
-- 'checkout'
-- 1789999979999999993
-- 1790000280000000000
-- 1789999980000000000
-- 1790000280000000000
-- 100000
