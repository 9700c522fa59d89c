module holdfast.invalid/pause

go 1.26.0
