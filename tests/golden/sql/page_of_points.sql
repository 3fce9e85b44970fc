SELECT arrival, service_name, origin, metric_name, description, unit, type, temporality, is_monotonic, metadata, start_time_ns, time_ns, attributes, flags, exemplars, int_value, double_value, count, sum, min, max, bucket_counts, explicit_bounds, scale, zero_count, zero_threshold, positive, negative, quantile_values FROM s_1_2_a.points WHERE arrival < ? AND service_name IN (?, ?) AND time_ns >= ? AND metric_name = ? AND type = ? ORDER BY time_ns DESC, arrival DESC LIMIT ?
-- 77
-- 'checkout'
-- 'payment'
-- 1789999760123456789
-- 'm'
-- 1
-- 11
