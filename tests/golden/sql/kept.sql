SELECT service_name, count(*) AS rows, min(start_time_ns) AS earliest, max(start_time_ns) AS latest FROM s_1_2_a.spans WHERE arrival < ? AND service_name IN (?, ?) GROUP BY service_name
-- 77
-- 'checkout'
-- 'payment'
