SELECT origin, metric_name, unit, type, temporality, is_monotonic, series, (time_ns - ?) // ? AS step, max(arrival), count(*), max(time_ns), arg_max(coalesce(double_value, int_value::DOUBLE, sum), (time_ns, arrival)), min(coalesce(double_value, int_value::DOUBLE, sum)), max(coalesce(double_value, int_value::DOUBLE, sum)), sum(coalesce(double_value, int_value::DOUBLE, sum)), arg_max(count, (time_ns, arrival)) FROM s_1_2_a.points WHERE arrival < ? AND service_name IN (?, ?) AND time_ns >= ? AND time_ns < ? GROUP BY origin, metric_name, unit, type, temporality, is_monotonic, series, step LIMIT ?
-- 1000000000
-- 1000000000
-- 77
-- 'checkout'
-- 'payment'
-- 1000000000
-- 2000000000
-- 100
